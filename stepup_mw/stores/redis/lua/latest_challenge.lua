-- The newest open challenge of one match that has not expired. KEYS: challenges, bodies. ARGV: match, now.
local best, best_text, now = nil, nil, tonumber(ARGV[2])
local held = redis.call('HGETALL', KEYS[1])
for index = 1, #held, 2 do
  local head = parse_head(held[index + 1])
  if head.state == 'open' and head.match == ARGV[1] and tonumber(head.expires) > now then
    head.id, head.key, head.order = held[index], tonumber(head.created), tonumber(head.seq)
    if not best or head.key > best.key or (head.key == best.key and head.order > best.order) then
      best, best_text = head, held[index + 1]
    end
  end
end
local body = best and redis.call('HGET', KEYS[2], best.id)
return body and {best_text, body}
