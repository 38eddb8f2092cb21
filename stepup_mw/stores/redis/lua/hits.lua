-- How many hits in the window, this one included. KEYS: hits. ARGV: now, window_s, member ("": not kept), kept.
local now, window_s, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local count = count_after(KEYS[1], now, window_s) + 1
if ARGV[3] ~= '' then add_moment(KEYS[1], now, window_s, ARGV[3], kept) end
return math.min(count, kept)
