-- Take a time step, once. KEYS: user. ARGV: factor id, step.
-- The mark stands in the record of the factor: who loses the one has lost the other.
local field = 'step:' .. ARGV[1]
local last = redis.call('HGET', KEYS[1], field)
if not last or tonumber(ARGV[2]) <= tonumber(last) then return 0 end
redis.call('HSET', KEYS[1], field, ARGV[2])
return 1
