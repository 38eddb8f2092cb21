-- A grant by its id. KEYS: index or grants. ARGV: how, id.
local grants = owned(':grants')
return grants and redis.call('HGET', grants, ARGV[2])
