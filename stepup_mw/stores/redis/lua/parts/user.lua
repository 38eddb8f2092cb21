-- The record of a user is one hash: factor:<id> (the record), step:<id> (last step, drift and order of arrival),
-- code:<digest>, seen:<kind>:<digest>, failures, locked_until, run. What it holds is lost together or not at all.
local function fields_of(key, kind)
  local found = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if field:match('^(%a+):') == kind then found[#found + 1] = field end
  end
  return found
end

local function drop(key, kind)
  for _, field in ipairs(fields_of(key, kind)) do redis.call('HDEL', key, field) end
end

local function keep_factor(key, id, record, last, drift)
  local order = redis.call('HINCRBY', key, 'arrivals', 1)
  redis.call('HSET', key, 'factor:' .. id, record, 'step:' .. id, last .. ' ' .. drift .. ' ' .. order)
end

local function last_step(key, id)
  local text = redis.call('HGET', key, 'step:' .. id)
  if not text then return nil end
  local last, order = text:match('^(%S+) %S+ (%S+)$')
  return last, order
end
