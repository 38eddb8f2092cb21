-- Only on a Cluster: put a challenge on the shelf of the open ones before it is kept, so that no crash between the
-- two leaves one that nobody ever ends. KEYS: the shelves, the counter. ARGV: tag, id, expires at. Answers its order.
local seq = redis.call('INCR', KEYS[4])
put_on({KEYS[1], KEYS[2], KEYS[3]}, 1, ARGV[3], member_of(seq, ARGV[1], ARGV[2]))
return seq
