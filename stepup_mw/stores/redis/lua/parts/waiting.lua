-- Take a kept request, once: the text of it, or false.
local function take_request(key, id, now)
  local held = redis.call('HGET', key, id)
  if not held or tonumber(held:match('^%S+ (%S+) ')) <= tonumber(now) then return false end
  redis.call('HDEL', key, id)
  return held
end
