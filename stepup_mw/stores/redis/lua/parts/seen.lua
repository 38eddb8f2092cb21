-- What a user has proved themself with: a field seen:<kind>:<digest> of the user's record, and seen:place: for where.
local function remember(key, kind, value, now, keep)
  local prefix = 'seen:' .. kind .. ':'
  local mine, others = prefix .. value, {}
  local held = redis.call('HGETALL', key)
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
  for index = 1, #others - math.max(keep - 1, 0) do redis.call('HDEL', key, others[index].field) end
  redis.call('HSET', key, mine, now .. ' ' .. redis.call('HINCRBY', key, 'sightings', 1))
end

-- Answers {known, any}.
local function sighting(key, kind, value)
  local prefix = 'seen:' .. kind .. ':'
  if redis.call('HEXISTS', key, prefix .. value) == 1 then return {1, 1} end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if field:sub(1, #prefix) == prefix then return {0, 1} end
  end
  return {0, 0}
end
