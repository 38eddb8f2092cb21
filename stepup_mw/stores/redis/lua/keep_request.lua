-- Keep a request; the user's oldest beyond the cap go, and those past their end.
-- KEYS: the user's kept requests. ARGV: id, now, expires at, cap, life in ms, sealed.
local id, now, limit, life_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local seq = redis.call('HINCRBY', KEYS[1], '#', 1)
local others = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if #name > 1 and name ~= id then
    local order, expires = redis.call('HGET', KEYS[1], name):match('^(%S+) (%S+) ')
    if tonumber(expires) <= now then
      redis.call('HDEL', KEYS[1], name)
    else
      others[#others + 1] = {id = name, order = tonumber(order)}
    end
  end
end
table.sort(others, function(a, b) return a.order > b.order end)
for index = math.max(limit - 1, 0) + 1, #others do redis.call('HDEL', KEYS[1], others[index].id) end
redis.call('HSET', KEYS[1], id, table.concat({seq, ARGV[3], ARGV[6]}, ' '))
if redis.call('PTTL', KEYS[1]) < life_ms then redis.call('PEXPIRE', KEYS[1], life_ms) end
return 1
