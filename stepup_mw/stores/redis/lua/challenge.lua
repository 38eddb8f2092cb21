-- A challenge by its id. KEYS: index, or challenges and bodies. ARGV: how, id. Answers {head, body}.
local heads, bodies = owned(':challenges', ':bodies')
if not heads then return false end
local head, body = redis.call('HGET', heads, ARGV[2]), redis.call('HGET', bodies, ARGV[2])
return head and body and {head, body}
