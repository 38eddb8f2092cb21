-- Put challenges where the housekeeping will look for them. KEYS: the shelves.
-- ARGV: triples of member, number of the shelf (0: none), score.
local shelves = {KEYS[1], KEYS[2], KEYS[3]}
for index = 1, #ARGV, 3 do
  if ARGV[index + 1] == '0' then
    take_off(shelves, ARGV[index])
  else
    put_on(shelves, tonumber(ARGV[index + 1]), ARGV[index + 2], ARGV[index])
  end
end
return #ARGV / 3
