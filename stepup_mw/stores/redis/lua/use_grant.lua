-- As shown, and one use is taken of the first grant that is what the terms say.
-- KEYS: see parts/carried. ARGV: field of the device ("": none), now, max age, leeway, browser, user, session, service,
--       scope, rule, version, binding, how many methods, the methods, then each id and whether its token is portable.
-- Answers {known, which was taken (0: none), each grant as it is since}.
local now, max_age, leeway = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first_id = 14 + tonumber(ARGV[13])

local function is_method(name)
  for index = 14, first_id - 1 do
    if ARGV[index] == name then return true end
  end
  return false
end

-- The same as records.Terms.take: the uses that are left, and what stands before and behind them; nil where it is not.
-- The fields of a body stand as those of records.Grant do.
local function takeable(held, portable)
  local before, uses, body = held:match('^(%S+ %S+ %S+) (%S+) (.*)$')
  local proved, expires = before:match('^%S+ (%S+) (%S+)$')
  local age = now - tonumber(proved)
  uses = tonumber(uses)
  if not uses or uses <= 0 or age < -leeway or age >= max_age or now >= tonumber(expires) then return nil end
  local grant = cjson.decode(body)
  if grant[2] ~= ARGV[6] or grant[3] ~= ARGV[7] then return nil end
  for field = 5, 9 do
    if grant[field] ~= ARGV[field + 3] then return nil end
  end
  if portable ~= '1' and grant[4] ~= '' and grant[4] ~= ARGV[5] then return nil end
  if is_method(grant[10]) then return uses, before, body end
  return nil
end

local found = {is_known(ARGV[1]), 0}
for index = first_id, #ARGV, 2 do
  local number, id = (index - first_id) / 2 + 1, ARGV[index]
  local held = grant_of(number, id)
  if held and found[2] == 0 and redis.call('HEXISTS', KEYS[2], id) == 1 then
    local uses, before, body = takeable(held, ARGV[index + 1])
    if uses then
      held = table.concat({before, string.format('%d', uses - 1), body}, ' ')
      redis.call('HSET', KEYS[2], id, held)
      found[2] = number
    end
  end
  found[number + 2] = held
end
return found
