-- The outcome line is on record. KEYS: index and the shelves, or challenges. ARGV: how, id.
-- Answers {order, settled at}, or false where there is no outcome to log.
local heads, tag = owned(':challenges')
local head = heads and mark_logged(heads, ARGV[2])
if not head then return false end
if tag then put_on({KEYS[2], KEYS[3], KEYS[4]}, 3, head.settled, member_of(head.seq, tag, ARGV[2])) end
return {head.seq, head.settled}
