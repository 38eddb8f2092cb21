-- Take on the outcome line of one challenge, if it is anybody's to take; drop it if it is logged and long past.
-- This step alone decides who is given it; the shelves only say where to look.
-- KEYS: challenges, bodies. ARGV: id, now, now - grace, now - kept.
-- Answers {what is to be done, head, body}: taken, left, dropped or gone.
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text then return {'gone', '', ''} end
local head, now = parse_head(text), tonumber(ARGV[2])
if head.state == 'open' and tonumber(head.expires) <= now then
  head.state = tonumber(head.attempts) > 0 and 'expired' or 'abandoned'
  head.settled = ARGV[2]
elseif head.state == 'open' then
  return {'left', text, ''}
elseif head.logged == '1' then
  if tonumber(head.settled) > tonumber(ARGV[4]) then return {'left', text, ''} end
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
  return {'dropped', text, ''}
elseif tonumber(head.claimed) >= tonumber(ARGV[3]) then
  return {'left', text, ''}
end
head.claimed = ARGV[2]
text = format_head(head)
redis.call('HSET', KEYS[1], ARGV[1], text)
return {'taken', text, redis.call('HGET', KEYS[2], ARGV[1]) or ''}
