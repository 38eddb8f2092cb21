-- The epoch of a user. KEYS: grants. ARGV: a number drawn for a new one, life in ms.
return begin_epoch(KEYS[1], ARGV[1], ARGV[2])
