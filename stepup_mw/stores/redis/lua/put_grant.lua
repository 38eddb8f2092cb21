-- Keep a grant; the oldest beyond the cap go, and the expired ones.
-- KEYS: grants, and the index where it is to be written here.
-- ARGV: id, proved at, expires at, uses ("-": no count), keep, life in ms, tag, body, epoch,
--       prefix of an index (where indexes are to be written here).
-- Answers -1 where the epoch is not the user's now, 0 where there is a grant of this id.
local id, proved_at, keep, life_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call('HGET', KEYS[1], '@') ~= ARGV[9] then return -1 end
if redis.call('HEXISTS', KEYS[1], id) == 1 then return 0 end
if KEYS[2] then
  local tag = redis.call('GET', KEYS[2])
  if tag and redis.call('HEXISTS', tag .. ':grants', id) == 1 then return 0 end
  redis.call('SET', KEYS[2], ARGV[7], 'PX', life_ms)
end
local function drop(name)
  redis.call('HDEL', KEYS[1], name)
  if KEYS[2] then redis.call('DEL', ARGV[10] .. name .. '}') end
end
local others = {}
local held = redis.call('HGETALL', KEYS[1])
for index = 1, #held, 2 do
  if #held[index] > 1 then
    local seq, proved, expires = held[index + 1]:match('^(%S+) (%S+) (%S+) ')
    if tonumber(expires) <= proved_at then
      drop(held[index])
    else
      others[#others + 1] = {id = held[index], proved = tonumber(proved), seq = tonumber(seq)}
    end
  end
end
table.sort(others, function(a, b)
  if a.proved ~= b.proved then return a.proved > b.proved end
  return a.seq > b.seq
end)
for index = math.max(keep - 1, 0) + 1, #others do drop(others[index].id) end
local seq = redis.call('HINCRBY', KEYS[1], '#', 1)
redis.call('HSET', KEYS[1], id, table.concat({seq, ARGV[2], ARGV[3], ARGV[4], ARGV[8]}, ' '))
if redis.call('PTTL', KEYS[1]) < life_ms then redis.call('PEXPIRE', KEYS[1], life_ms) end
return 1
