-- KEYS: user. ARGV: kind, digest of the value. Answers {known, any}.
return sighting(KEYS[1], ARGV[1], ARGV[2])
