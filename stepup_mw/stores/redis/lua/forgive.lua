-- A right code: the failures and the lock are gone, and the newest attempt of the address.
-- KEYS: user, and the address where it is to be done here.
redis.call('HDEL', KEYS[1], 'failures', 'locked_until')
if KEYS[2] then redis.call('ZPOPMAX', KEYS[2]) end
return 1
