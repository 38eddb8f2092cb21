-- Keep an open challenge; settle the oldest open ones beyond the cap; drop the logged ones beyond theirs.
-- KEYS: challenges, bodies, user, and (index, the shelves, the counter) where these are to be written here.
-- ARGV: id, created at, expires at, attempts, settled at, match, body, keep, tag, order, life in ms, logged kept,
--       settled kept s, prefix of an index, how the id of a passkey begins, kinds of authenticators (any one there must
--       be; "*": none).
-- Answers false where there is no such authenticator, 0 where there is a challenge of this id, else
-- {{id, head, body} of each settled, {order, id} of each dropped}.
local id, created, tag, life_ms = ARGV[1], tonumber(ARGV[2]), ARGV[9], ARGV[11]
local here, shelves = KEYS[4] ~= nil, {KEYS[5], KEYS[6], KEYS[7]}

-- The same as records.Factor.proves, of any. The secret is what stands behind the first line of a record.
local function proves(begins, kinds)
  for _, field in ipairs(fields_of(KEYS[3], 'factor')) do
    local kind = field:sub(8, 7 + #begins) == begins and 'passkey' or 'totp'
    local record = redis.call('HGET', KEYS[3], field)
    if kinds:find(kind, 1, true) and #record > record:find('\n', 1, true) then return true end
  end
  return false
end
if ARGV[16] ~= '*' and not proves(ARGV[15], ARGV[16]) then return false end
if redis.call('HEXISTS', KEYS[1], id) == 1 then return 0 end
local seq = ARGV[10]
if here then
  local other = redis.call('GET', KEYS[4])
  if other and redis.call('HEXISTS', other .. ':challenges', id) == 1 then return 0 end
  redis.call('SET', KEYS[4], tag, 'PX', life_ms)
  seq = redis.call('INCR', KEYS[8])
end

local open, logged = {}, {}
local held = redis.call('HGETALL', KEYS[1])
for index = 1, #held, 2 do
  local head = parse_head(held[index + 1])
  head.id = held[index]
  if head.state == 'open' then
    head.key = tonumber(head.created)
    open[#open + 1] = head
  elseif head.logged == '1' then
    head.key = tonumber(head.settled)
    logged[#logged + 1] = head
  end
end
local function older(a, b)
  if a.key ~= b.key then return a.key < b.key end
  return tonumber(a.seq) < tonumber(b.seq)
end
table.sort(open, older)
table.sort(logged, older)

local settled = {}
for index = 1, #open - math.max(tonumber(ARGV[8]) - 1, 0) do
  local head = open[index]
  head.state, head.settled, head.claimed = 'abandoned', ARGV[2], ARGV[2]
  local text = format_head(head)
  redis.call('HSET', KEYS[1], head.id, text)
  settled[#settled + 1] = {head.id, text, redis.call('HGET', KEYS[2], head.id)}
  if here then put_on(shelves, 2, head.claimed, member_of(head.seq, tag, head.id)) end
end

local dropped = {}
for index, head in ipairs(logged) do
  if index <= #logged - tonumber(ARGV[12]) or head.key <= created - tonumber(ARGV[13]) then
    redis.call('HDEL', KEYS[1], head.id)
    redis.call('HDEL', KEYS[2], head.id)
    dropped[#dropped + 1] = {head.seq, head.id}
    if here then
      take_off(shelves, member_of(head.seq, tag, head.id))
      redis.call('DEL', ARGV[14] .. head.id .. '}')
    end
  end
end

local head = {seq = seq, created = ARGV[2], expires = ARGV[3], attempts = ARGV[4], state = 'open',
  settled = ARGV[5], logged = '0', claimed = ARGV[5], match = ARGV[6]}
redis.call('HSET', KEYS[1], id, format_head(head))
redis.call('HSET', KEYS[2], id, ARGV[7])
redis.call('PEXPIRE', KEYS[1], life_ms)
redis.call('PEXPIRE', KEYS[2], life_ms)
if here then put_on(shelves, 1, ARGV[3], member_of(seq, tag, id)) end
return {settled, dropped}
