-- Put a run of spaced codes in the place of the one it was made from ("": there was none), where failures are counted.
-- KEYS: user. ARGV: before, after.
if redis.call('HEXISTS', KEYS[1], 'failures') == 0 then return 0 end
if (redis.call('HGET', KEYS[1], 'run') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'run', ARGV[2])
return 1
