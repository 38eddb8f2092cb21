-- Remove one factor; the grants go and the epoch ends. KEYS: user, grants. ARGV: factor id.
if redis.call('HDEL', KEYS[1], 'factor:' .. ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'step:' .. ARGV[1])
redis.call('DEL', KEYS[2])
return 1
