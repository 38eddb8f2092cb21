-- KEYS: user. ARGV: kind, digest of the value. Answers {known, any}.
local prefix = 'seen:' .. ARGV[1] .. ':'
if redis.call('HEXISTS', KEYS[1], prefix .. ARGV[2]) == 1 then return {1, 1} end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:sub(1, #prefix) == prefix then return {0, 1} end
end
return {0, 0}
