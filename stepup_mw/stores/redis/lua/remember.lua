-- A value the user has proved themself with; the ones seen longest ago go.
-- KEYS: user. ARGV: kind, digest of the value, now, keep.
remember(KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
return 1
