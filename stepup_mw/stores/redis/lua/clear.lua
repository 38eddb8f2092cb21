-- Clear the failures, the lock and the run of spaced codes. KEYS: user. Answers whether there were any of the first two.
redis.call('HDEL', KEYS[1], 'run')
return redis.call('HDEL', KEYS[1], 'failures', 'locked_until')
