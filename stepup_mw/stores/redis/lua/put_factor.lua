-- Replace all factors, codes, grants, failures and the lock of a user, and end the epoch.
-- KEYS: user, grants. ARGV: factor id, record, last step, drift, digests...
-- Answers how many factors there were.
local before, last = #fields_of(KEYS[1], 'factor'), ARGV[3]
local taken = last_step(KEYS[1], ARGV[1]) or '-1'
if tonumber(taken) > tonumber(last) then last = taken end
for _, kind in ipairs({'factor', 'step', 'code'}) do drop(KEYS[1], kind) end
redis.call('HDEL', KEYS[1], 'failures', 'locked_until', 'run')
redis.call('DEL', KEYS[2])
keep_factor(KEYS[1], ARGV[1], ARGV[2], last, ARGV[4])
for index = 5, #ARGV do redis.call('HSET', KEYS[1], 'code:' .. ARGV[index], '1') end
return before
