-- Count one attempt of the account and of its open challenge, and give what the code is to be compared with.
-- KEYS: user, challenges, grants, and the address where it is to be counted here.
-- ARGV: as parts/guess.lua has them, then id, attempts at most, a number drawn for a new epoch, its life in ms.
-- Answers {as parts/guess.lua, which attempt (0: none, and nothing of the rest), epoch, fields of the factors}.
local guess = count_guess(KEYS[1], KEYS[4])
local number = guess[1] == 1 and count_attempt(KEYS[2], ARGV[13], tonumber(ARGV[14])) or 0
if number == 0 then return {guess, 0} end
local held, factors = redis.call('HGETALL', KEYS[1]), {}
for index = 1, #held, 2 do
  local kind = held[index]:match('^(%a+):')
  if kind == 'factor' or kind == 'step' then
    factors[#factors + 1] = held[index]
    factors[#factors + 1] = held[index + 1]
  end
end
return {guess, number, begin_epoch(KEYS[3], ARGV[15], ARGV[16]), factors}
