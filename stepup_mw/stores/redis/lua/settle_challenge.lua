-- Move an open challenge to its end. KEYS: index and the shelves, or challenges. ARGV: how, id, state, now.
-- Answers its order, or false where it is not open.
local heads, tag = owned(':challenges')
local head = heads and settle(heads, ARGV[2], ARGV[3], ARGV[4])
if not head then return false end
if tag then put_on({KEYS[2], KEYS[3], KEYS[4]}, 2, ARGV[4], member_of(head.seq, tag, ARGV[2])) end
return head.seq
