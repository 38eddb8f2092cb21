-- After a loss nothing that a user had is good once more: no grant, no recovery code, no request that waits, no
-- time step up to one that is still to come, no challenge; and one guess is left.
-- KEYS: user, grants, kept, challenges, bodies. ARGV: step, failures.
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
drop(KEYS[1], 'code')
for _, field in ipairs(fields_of(KEYS[1], 'step')) do
  local last, rest = redis.call('HGET', KEYS[1], field):match('^(%S+)( .*)$')
  if tonumber(last) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], field, ARGV[1] .. rest) end
end
if redis.call('EXISTS', KEYS[1]) == 1 and tonumber(redis.call('HGET', KEYS[1], 'failures') or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'failures', ARGV[2])
end
return 1
