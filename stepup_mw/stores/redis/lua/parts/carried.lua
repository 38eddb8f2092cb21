-- What a request carries. KEYS: user, grants, and the index of each id where indexes may be asked here.
local function is_known(field) return field ~= '' and redis.call('HEXISTS', KEYS[1], field) or 0 end

-- The grant of the id that is the number-th, whosever it is.
local function grant_of(number, id)
  local held = redis.call('HGET', KEYS[2], id)
  if held or not KEYS[2 + number] then return held end
  local tag = redis.call('GET', KEYS[2 + number])
  return tag and redis.call('HGET', tag .. ':grants', id)
end
