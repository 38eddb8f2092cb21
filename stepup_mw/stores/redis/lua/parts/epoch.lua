-- The epoch of a user: the field "@" beside the grants. The two are one key, so they end together, and a grant that is
-- there is a grant of the epoch.
local function begin_epoch(key, drawn, life_ms)
  redis.call('HSETNX', key, '@', drawn)
  if redis.call('PTTL', key) < tonumber(life_ms) then redis.call('PEXPIRE', key, life_ms) end
  return redis.call('HGET', key, '@')
end
