-- What the housekeeping should look at. KEYS: the shelves. ARGV: now, now - grace, now - kept, limit.
-- Answers {open past their end, unlogged past the grace, logged long past}. The first two are this caller's for the
-- grace: they are put on the shelf of the unlogged as of now, and come up again if the caller dies.
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])
local rest = math.max(tonumber(ARGV[4]) - #over, 0)
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, rest)
for _, members in ipairs({over, lost}) do
  for _, member in ipairs(members) do put_on({KEYS[1], KEYS[2], KEYS[3]}, 2, ARGV[1], member) end
end
return {over, lost, redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3], 'LIMIT', 0, 1000)}
