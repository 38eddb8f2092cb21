-- The epoch of a user: the field "@" beside the grants. The two are one key, so they end together, and a grant that is
-- there is a grant of the epoch. KEYS: grants. ARGV: a number drawn for a new one, whether to end the old, life in ms.
if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end
redis.call('HSETNX', KEYS[1], '@', ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return redis.call('HGET', KEYS[1], '@')
