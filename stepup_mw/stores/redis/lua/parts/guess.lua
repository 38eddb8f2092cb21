-- Count one attempt before its code is compared, or say until when none may be. Answers {allowed, failures, locked
-- until, locks}. user: the key of the record; address: where it is to be counted here.
-- ARGV: now, failures, lock_s, grow, max_lock_s, ceiling, forever, full until, limit, window_s, member, kept.
local function count_guess(user, address)
  local now, every, ceiling = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[6])
  local held = redis.call('HMGET', user, 'failures', 'locked_until')
  local failures, locked_until = tonumber(held[1] or 0), tonumber(held[2] or 0)

  -- The same arithmetic as bounds.lock_until.
  local function lock_until(count)
    if count >= ceiling then return tonumber(ARGV[7]) end
    if count % every ~= 0 then return 0 end
    return now + math.min(tonumber(ARGV[3]) * tonumber(ARGV[4]) ^ (count / every - 1), tonumber(ARGV[5]))
  end

  if locked_until > now then return {0, failures, exactly(locked_until), 0} end
  local full = tonumber(ARGV[8])
  if address then
    local window_s = tonumber(ARGV[10])
    full = full_until(address, now, tonumber(ARGV[9]), window_s)
    if full == 0 then add_moment(address, now, window_s, ARGV[11], tonumber(ARGV[12])) end
  end
  if full ~= 0 then return {0, failures, exactly(full), 0} end
  failures = failures + 1
  locked_until = lock_until(failures)
  redis.call('HSET', user, 'failures', failures, 'locked_until', exactly(locked_until))
  -- The same as runs.interrupt: slot, step and since stay; the count and the look are over.
  local slot, step, since = (redis.call('HGET', user, 'run') or ''):match('^(%S+) (%S+) %S+ (%S+) %S+$')
  if slot then redis.call('HSET', user, 'run', table.concat({slot, step, '0', since, '0'}, ' ')) end
  return {1, failures, exactly(locked_until), locked_until > 0 and 1 or 0}
end
