-- Drop one grant of a user, or all and end the epoch ("" for the id). KEYS: grants. ARGV: id.
-- Answers how many there were.
if ARGV[1] ~= '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
local count = redis.call('HLEN', KEYS[1])
for _, own in ipairs({'#', '@'}) do count = count - redis.call('HEXISTS', KEYS[1], own) end
redis.call('DEL', KEYS[1])
return count
