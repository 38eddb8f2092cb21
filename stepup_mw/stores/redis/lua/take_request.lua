-- Take a kept request, once. KEYS: the user's kept requests. ARGV: id, now.
return take_request(KEYS[1], ARGV[1], ARGV[2])
