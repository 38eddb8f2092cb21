-- Take a recovery code, once. KEYS: user. ARGV: digest.
return redis.call('HDEL', KEYS[1], 'code:' .. ARGV[1])
