-- Replace all recovery codes of a user. KEYS: user. ARGV: digests...
drop(KEYS[1], 'code')
for _, code in ipairs(ARGV) do redis.call('HSET', KEYS[1], 'code:' .. code, '1') end
return #ARGV
