-- ARGV[1] says how the user's own keys are found. "own": KEYS are the user's. "index": KEYS[1] names the user's tag;
-- that is one round trip less, and only for a server that is no Cluster, where the two may lie apart.
local function owned(...)
  if ARGV[1] == 'own' then return unpack(KEYS) end
  local tag = redis.call('GET', KEYS[1])
  if not tag then return nil end
  local keys = {}
  for index, name in ipairs({...}) do keys[index] = tag .. name end
  keys[#keys + 1] = tag
  return unpack(keys)
end
