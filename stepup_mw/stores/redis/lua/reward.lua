-- What follows a right code, its outcome on record.
-- KEYS: user, grants, challenges, kept, and (index of the grant, address, the shelves) where these are to be written
--       here; the user's stands for an index or an address that there is not.
-- ARGV: challenge, at, tag, values kept, place ("": none), whether a request waits, digest of the device,
--       grant ("": none), proved at, expires at, uses ("-": no count), grants kept, life in ms, body, epoch,
--       prefix of an index, kind and digest of each value...
-- Answers {granted (-1: there is a grant of this id, and nothing is changed), epoch, known, any, the request,
--          {order, settled at} of the challenge whose outcome is logged by it}.
local user, here = KEYS[1], KEYS[5] ~= nil
local granted = ARGV[8] ~= '' and keep_grant(KEYS[2], here and KEYS[5], unpack(ARGV, 8, 16)) or 0
if granted == -1 then return {granted} end
local device = sighting(user, 'device', ARGV[7])
for index = 17, #ARGV, 2 do remember(user, ARGV[index], ARGV[index + 1], ARGV[2], tonumber(ARGV[4])) end
if ARGV[5] ~= '' then redis.call('HSET', user, 'seen:place:', ARGV[5]) end
pardon(user, here and KEYS[6] ~= user and KEYS[6])
local head = mark_logged(KEYS[3], ARGV[1])
if head and here then put_on({KEYS[7], KEYS[8], KEYS[9]}, 3, head.settled, member_of(head.seq, ARGV[3], ARGV[1])) end
local request = ARGV[6] == '1' and take_request(KEYS[4], ARGV[1], ARGV[2])
return {granted, redis.call('HGET', KEYS[2], '@'), device[1], device[2], request,
  head and {head.seq, head.settled} or false}
