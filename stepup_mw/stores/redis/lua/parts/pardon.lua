-- A right code: the failures, the lock and the run of spaced codes are gone, and the newest attempt of the address.
local function pardon(user, address)
  redis.call('HDEL', user, 'failures', 'locked_until', 'run')
  if address then redis.call('ZPOPMAX', address) end
end
