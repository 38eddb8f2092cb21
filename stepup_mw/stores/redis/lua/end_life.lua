-- Another life in the place of one that was lost (stores/lives.py). KEYS: life.
-- ARGV: the name of the one that ends ("": there is none), then the new one: name, lives before, lost at, found, spent.
if (redis.call('HGET', KEYS[1], 'name') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'before', ARGV[3], 'lost_at', ARGV[4], 'found', ARGV[5], 'spent', ARGV[6])
return 1
