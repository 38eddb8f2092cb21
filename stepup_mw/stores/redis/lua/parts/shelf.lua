-- The three shelves of the housekeeping: open (by the end of life), unlogged (by the last claim of its outcome line)
-- and logged (by the settling). A member is the order of opening, the tag of the user and the id.
local function take_off(shelves, member)
  for _, shelf in ipairs(shelves) do redis.call('ZREM', shelf, member) end
end

local function put_on(shelves, number, score, member)
  take_off(shelves, member)
  redis.call('ZADD', shelves[number], score, member)
end

local function member_of(seq, tag, id) return string.format('%016d', seq) .. tag .. id end
