-- What the housekeeping should look at. KEYS: the shelves. ARGV: now, now - grace, now - kept, limit.
-- Answers {open past their end, unlogged past the grace, logged long past}.
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])
local rest = math.max(tonumber(ARGV[4]) - #over, 0)
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, rest)
return {over, lost, redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3], 'LIMIT', 0, 1000)}
