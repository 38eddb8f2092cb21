-- Move an open challenge to its end. KEYS: index and the shelves, or challenges. ARGV: how, id, state, now.
-- Answers its order, or false where it is not open.
local heads, tag = owned(':challenges')
local text = heads and redis.call('HGET', heads, ARGV[2])
if not text then return false end
local head = parse_head(text)
if head.state ~= 'open' then return false end
head.state, head.settled, head.claimed = ARGV[3], ARGV[4], ARGV[4]
redis.call('HSET', heads, ARGV[2], format_head(head))
if tag then put_on({KEYS[2], KEYS[3], KEYS[4]}, 2, ARGV[4], member_of(head.seq, tag, ARGV[2])) end
return head.seq
