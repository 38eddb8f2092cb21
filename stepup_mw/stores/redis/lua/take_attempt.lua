-- Count one attempt before its code is compared, or say until when none may be.
-- KEYS: user, and the address where it is to be counted here. ARGV and the answer: see parts/guess.lua.
return count_guess(KEYS[1], KEYS[2])
