-- Replace all factors, codes, grants, failures and the lock of a user.
-- KEYS: user, grants. ARGV: factor id, record, last step, digests...
-- Answers how many factors there were.
local before = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local kind = field:match('^(%a+):')
  if kind == 'factor' then before = before + 1 end
end
local taken = redis.call('HGET', KEYS[1], 'step:' .. ARGV[1])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local kind = field:match('^(%a+):')
  if kind == 'factor' or kind == 'step' or kind == 'code' then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HDEL', KEYS[1], 'failures', 'locked_until')
redis.call('DEL', KEYS[2])
local last = ARGV[3]
if taken and tonumber(taken) > tonumber(last) then last = taken end
redis.call('HSET', KEYS[1], 'factor:' .. ARGV[1], ARGV[2], 'step:' .. ARGV[1], last)
for index = 4, #ARGV do redis.call('HSET', KEYS[1], 'code:' .. ARGV[index], '1') end
return before
