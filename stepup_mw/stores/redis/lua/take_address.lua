-- Only on a Cluster, where an address and an account lie apart: count one attempt of the address.
-- KEYS: address. ARGV: now, limit, window_s, member, kept. Answers until when it is full; 0: counted.
local now, window_s = tonumber(ARGV[1]), tonumber(ARGV[3])
local full = full_until(KEYS[1], now, tonumber(ARGV[2]), window_s)
if full == 0 then add_moment(KEYS[1], now, window_s, ARGV[4], tonumber(ARGV[5])) end
return exactly(full)
