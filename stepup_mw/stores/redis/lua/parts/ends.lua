-- The ends of a challenge. Each answers its head as it is then, or nothing where nothing has changed.
local function count_attempt(heads, id, limit)
  local text = redis.call('HGET', heads, id)
  if not text then return 0 end
  local head = parse_head(text)
  if head.state ~= 'open' or tonumber(head.attempts) >= limit then return 0 end
  head.attempts = string.format('%d', tonumber(head.attempts) + 1)
  redis.call('HSET', heads, id, format_head(head))
  return tonumber(head.attempts)
end

local function settle(heads, id, state, now)
  local text = redis.call('HGET', heads, id)
  local head = text and parse_head(text)
  if not head or head.state ~= 'open' then return nil end
  head.state, head.settled, head.claimed = state, now, now
  redis.call('HSET', heads, id, format_head(head))
  return head
end

local function mark_logged(heads, id)
  local text = redis.call('HGET', heads, id)
  local head = text and parse_head(text)
  if not head or head.state == 'open' or head.logged == '1' then return nil end
  head.logged = '1'
  redis.call('HSET', heads, id, format_head(head))
  return head
end
