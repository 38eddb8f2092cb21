-- Take a time step of a user's, once, in all of the user's factors, and settle the challenge that the code is for.
-- KEYS: user, challenges, and (hits of a code that was told, the shelves) where these lie here.
-- ARGV: factor id, step, drift, now, told_s, challenge id, tag.
-- Answers {taken, order of the challenge that is settled by it (0: none)}.
local step, now = tonumber(ARGV[2]), ARGV[4]
if KEYS[3] and count_after(KEYS[3], tonumber(now), tonumber(ARGV[5])) > 0 then return {0, 0} end
if not last_step(KEYS[1], ARGV[1]) then return {0, 0} end
local fields = fields_of(KEYS[1], 'step')
local held = redis.call('HMGET', KEYS[1], unpack(fields))
for index, text in ipairs(held) do
  local last, drift, order = text:match('^(%S+) (%S+) (%S+)$')
  if step <= tonumber(last) then return {0, 0} end
  held[index] = ARGV[2] .. ' ' .. (fields[index] == 'step:' .. ARGV[1] and ARGV[3] or drift) .. ' ' .. order
end
for index, field in ipairs(fields) do redis.call('HSET', KEYS[1], field, held[index]) end
local head = settle(KEYS[2], ARGV[6], 'approved', now)
if not head then return {1, 0} end
if KEYS[3] then put_on({KEYS[4], KEYS[5], KEYS[6]}, 2, now, member_of(head.seq, ARGV[7], ARGV[6])) end
return {1, head.seq}
