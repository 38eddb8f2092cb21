-- The outcome line is on record. KEYS: index and the shelves, or challenges. ARGV: how, id.
-- Answers {order, settled at}, or false where there is no outcome to log.
local heads, tag = owned(':challenges')
local text = heads and redis.call('HGET', heads, ARGV[2])
if not text then return false end
local head = parse_head(text)
if head.state == 'open' or head.logged == '1' then return false end
head.logged = '1'
redis.call('HSET', heads, ARGV[2], format_head(head))
if tag then put_on({KEYS[2], KEYS[3], KEYS[4]}, 3, head.settled, member_of(head.seq, tag, ARGV[2])) end
return {head.seq, head.settled}
