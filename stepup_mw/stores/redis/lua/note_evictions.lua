-- The server has evicted so many keys since it began. KEYS: life. ARGV: which run of a server, how many, now.
-- More than was known of this run is a loss, until somebody has seen to it: parts of what stood here may be gone.
if redis.call('HEXISTS', KEYS[1], 'name') == 0 then return 0 end
local known = redis.call('HMGET', KEYS[1], 'server', 'evicted')
redis.call('HSET', KEYS[1], 'server', ARGV[1], 'evicted', ARGV[2])
if known[1] ~= ARGV[1] or tonumber(ARGV[2]) <= tonumber(known[2]) then return 0 end
if redis.call('HEXISTS', KEYS[1], 'found') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'lost_at', ARGV[3], 'found', 'evicted')
return 1
