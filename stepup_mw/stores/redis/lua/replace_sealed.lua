-- The same secret under another key. KEYS: user. ARGV: factor id, sealed, expected.
local field = 'factor:' .. ARGV[1]
local record = redis.call('HGET', KEYS[1], field)
if not record then return 0 end
local head_end = record:find('\n', 1, true)
if record:sub(head_end + 1) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], field, record:sub(1, head_end) .. ARGV[2])
return 1
