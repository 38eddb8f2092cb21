-- Take a time step, once, and learn the drift. KEYS: user. ARGV: factor id, step, drift.
-- The mark stands in the record of the factor: who loses the one has lost the other.
local last, order = last_step(KEYS[1], ARGV[1])
if not last or tonumber(ARGV[2]) <= tonumber(last) then return 0 end
redis.call('HSET', KEYS[1], 'step:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. order)
return 1
