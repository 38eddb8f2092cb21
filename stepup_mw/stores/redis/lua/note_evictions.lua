-- The servers have evicted so many keys since they began. KEYS: life. ARGV: now, then pairs: which run of a server, how
-- many. More than was known of a run is a loss, until somebody has seen to it: parts of what stood there may be gone.
-- What is known of a server that did not say now is kept; of thirty-two runs, for servers that start anew leave theirs.
if redis.call('HEXISTS', KEYS[1], 'name') == 0 then return 0 end
local known, runs, lost = {}, 0, false
local held = redis.call('HGETALL', KEYS[1])
for index = 1, #held, 2 do
  local run = held[index]:match('^evicted:(.*)$')
  if run then known[run], runs = tonumber(held[index + 1]), runs + 1 end
end
if runs > 32 then
  for run in pairs(known) do redis.call('HDEL', KEYS[1], 'evicted:' .. run) end
end
for index = 2, #ARGV, 2 do
  local before, keys = known[ARGV[index]], tonumber(ARGV[index + 1])
  if before and keys > before then lost = true end
  redis.call('HSET', KEYS[1], 'evicted:' .. ARGV[index], ARGV[index + 1])
end
if not lost or redis.call('HEXISTS', KEYS[1], 'found') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'lost_at', ARGV[1], 'found', 'evicted')
return 1
