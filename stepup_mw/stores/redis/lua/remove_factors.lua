-- Remove factors, codes, grants and sightings of a user; the failures and the lock stay.
-- KEYS: user, grants. Answers how many factors there were.
local before = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:match('^factor:') then before = before + 1 end
  if field ~= 'failures' and field ~= 'locked_until' then redis.call('HDEL', KEYS[1], field) end
end
redis.call('DEL', KEYS[2])
return before
