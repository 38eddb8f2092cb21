-- Remove factors, codes, grants and sightings of a user and end the epoch; the failures and the lock stay.
-- KEYS: user, grants. Answers how many factors there were.
local before = #fields_of(KEYS[1], 'factor')
for _, kind in ipairs({'factor', 'step', 'code', 'seen'}) do drop(KEYS[1], kind) end
redis.call('HDEL', KEYS[1], 'arrivals', 'sightings')
redis.call('DEL', KEYS[2])
return before
