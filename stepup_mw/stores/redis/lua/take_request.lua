-- Take a kept request, once. KEYS: the user's kept requests. ARGV: id, now.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or tonumber(held:match('^%S+ (%S+) ')) <= tonumber(ARGV[2]) then return false end
redis.call('HDEL', KEYS[1], ARGV[1])
return held
