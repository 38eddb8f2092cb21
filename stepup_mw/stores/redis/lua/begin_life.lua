-- The life of a server that has none. KEYS: life. ARGV: its name. Answers what is there now.
if redis.call('HEXISTS', KEYS[1], 'name') == 0 then redis.call('HSET', KEYS[1], 'name', ARGV[1], 'spent', '0') end
return redis.call('HGETALL', KEYS[1])
