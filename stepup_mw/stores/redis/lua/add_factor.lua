-- One more factor; the grants go and the epoch ends. KEYS: user, grants. ARGV: factor id, record, last step, drift, keep.
local before = #fields_of(KEYS[1], 'factor')
if before >= tonumber(ARGV[5]) or redis.call('HEXISTS', KEYS[1], 'factor:' .. ARGV[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2])
keep_factor(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 1
