-- Moments in a sliding window: a sorted set, one member a moment.
local function exactly(number) return string.format('%.17g', number) end

local function after(now, window_s) return '(' .. exactly(now - window_s) end

local function count_after(key, now, window_s) return redis.call('ZCOUNT', key, after(now, window_s), '+inf') end

-- When an address may try again; 0: now. The same arithmetic as bounds.address_full_until.
local function full_until(key, now, limit, window_s)
  local count = count_after(key, now, window_s)
  local over = count - limit
  if over < 0 then return 0 end
  if over >= count then return now + window_s end
  local found = redis.call('ZRANGEBYSCORE', key, after(now, window_s), '+inf', 'WITHSCORES', 'LIMIT', over, 1)
  return tonumber(found[2]) + window_s
end

-- What adds comes first: a full server refuses the first write of a script, and none after it.
local function add_moment(key, now, window_s, member, kept)
  redis.call('ZADD', key, exactly(now), member)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', exactly(now - window_s))
  redis.call('ZREMRANGEBYRANK', key, 0, -(kept + 1))
  redis.call('PEXPIRE', key, (window_s + 60) * 1000)
end
