-- The changing part of a challenge: one text of nine words in the hash of its user's challenges.
local WORDS = {'seq', 'created', 'expires', 'attempts', 'state', 'settled', 'logged', 'claimed', 'match'}

local function parse_head(text)
  local head, index = {}, 0
  for word in text:gmatch('%S+') do
    index = index + 1
    head[WORDS[index]] = word
  end
  return head
end

local function format_head(head)
  local words = {}
  for index, name in ipairs(WORDS) do words[index] = head[name] end
  return table.concat(words, ' ')
end
