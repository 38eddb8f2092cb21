-- Keep a grant; the oldest beyond the cap go, and the expired ones. index: where it is to be written here.
-- Answers 1, 0 where the epoch is not the user's now, -1 where there is a grant of this id.
local function keep_grant(key, index, id, proved_at, expires_at, uses, keep, life_ms, body, epoch, prefix)
  if redis.call('HGET', key, '@') ~= epoch then return 0 end
  if redis.call('HEXISTS', key, id) == 1 then return -1 end
  if index then
    local tag = redis.call('GET', index)
    if tag and redis.call('HEXISTS', tag .. ':grants', id) == 1 then return -1 end
    redis.call('SET', index, key:match('^(.*):grants$'), 'PX', life_ms)
  end
  local function drop(name)
    redis.call('HDEL', key, name)
    if index then redis.call('DEL', prefix .. name .. '}') end
  end
  local others = {}
  local held = redis.call('HGETALL', key)
  for at = 1, #held, 2 do
    if #held[at] > 1 then
      local seq, proved, expires = held[at + 1]:match('^(%S+) (%S+) (%S+) ')
      if tonumber(expires) <= tonumber(proved_at) then
        drop(held[at])
      else
        others[#others + 1] = {id = held[at], proved = tonumber(proved), seq = tonumber(seq)}
      end
    end
  end
  table.sort(others, function(a, b)
    if a.proved ~= b.proved then return a.proved > b.proved end
    return a.seq > b.seq
  end)
  for at = math.max(tonumber(keep) - 1, 0) + 1, #others do drop(others[at].id) end
  local seq = redis.call('HINCRBY', key, '#', 1)
  redis.call('HSET', key, id, table.concat({seq, proved_at, expires_at, uses, body}, ' '))
  if redis.call('PTTL', key) < tonumber(life_ms) then redis.call('PEXPIRE', key, life_ms) end
  return 1
end
