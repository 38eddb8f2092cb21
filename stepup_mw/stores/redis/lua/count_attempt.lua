-- Count one attempt of an open challenge. KEYS: index or challenges. ARGV: how, id, limit. Answers which, 0 for none.
local heads = owned(':challenges')
local text = heads and redis.call('HGET', heads, ARGV[2])
if not text then return 0 end
local head = parse_head(text)
if head.state ~= 'open' or tonumber(head.attempts) >= tonumber(ARGV[3]) then return 0 end
head.attempts = string.format('%d', tonumber(head.attempts) + 1)
redis.call('HSET', heads, ARGV[2], format_head(head))
return tonumber(head.attempts)
