-- A value the user has proved themself with; the ones seen longest ago go.
-- KEYS: user. ARGV: kind, digest of the value, now, keep.
local prefix = 'seen:' .. ARGV[1] .. ':'
local mine, others = prefix .. ARGV[2], {}
local held = redis.call('HGETALL', KEYS[1])
for index = 1, #held, 2 do
  if held[index]:sub(1, #prefix) == prefix and held[index] ~= mine then
    local at, seq = held[index + 1]:match('^(%S+) (%S+)$')
    others[#others + 1] = {field = held[index], at = tonumber(at), seq = tonumber(seq)}
  end
end
table.sort(others, function(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.seq < b.seq
end)
for index = 1, #others - math.max(tonumber(ARGV[4]) - 1, 0) do redis.call('HDEL', KEYS[1], others[index].field) end
redis.call('HSET', KEYS[1], mine, ARGV[3] .. ' ' .. redis.call('HINCRBY', KEYS[1], 'sightings', 1))
return 1
