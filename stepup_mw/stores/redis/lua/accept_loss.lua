-- Somebody has seen to the loss. KEYS: life. Answers whether there was one.
return redis.call('HDEL', KEYS[1], 'lost_at', 'found') > 0 and 1 or 0
