-- What is known of what a request shows. KEYS: see parts/carried. ARGV: field of the device ("": none), ids...
-- Answers {known, each grant}.
local found = {is_known(ARGV[1])}
for number = 1, #ARGV - 1 do found[number + 1] = grant_of(number, ARGV[number + 1]) end
return found
