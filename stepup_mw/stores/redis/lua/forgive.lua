-- A right code. KEYS: user, and the address where it is to be done here.
pardon(KEYS[1], KEYS[2])
return 1
