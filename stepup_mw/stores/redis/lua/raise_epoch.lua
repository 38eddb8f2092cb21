-- End the epoch of a user and begin another. KEYS: grants. ARGV: a number drawn for it, life in ms.
redis.call('DEL', KEYS[1])
return begin_epoch(KEYS[1], ARGV[1], ARGV[2])
