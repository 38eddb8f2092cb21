-- Take one use of a grant, if there is one left. KEYS: index or grants. ARGV: how, id.
local grants = owned(':grants')
local held = grants and redis.call('HGET', grants, ARGV[2])
if not held then return 0 end
local before, uses, body = held:match('^(%S+ %S+ %S+) (%S+) (.*)$')
uses = tonumber(uses)
if not uses or uses <= 0 then return 0 end
redis.call('HSET', grants, ARGV[2], table.concat({before, string.format('%d', uses - 1), body}, ' '))
return 1
