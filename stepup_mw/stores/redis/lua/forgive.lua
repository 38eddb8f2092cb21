-- A right code: the failures, the lock and the run of spaced codes are gone, and the newest attempt of the address.
-- KEYS: user, and the address where it is to be done here.
redis.call('HDEL', KEYS[1], 'failures', 'locked_until', 'run')
if KEYS[2] then redis.call('ZPOPMAX', KEYS[2]) end
return 1
