-- Gives a key up. Returns 1 when it held the value, else 0.
-- KEYS: key
-- ARGV: value
if redis.call('GET', key) ~= value then return 0 end
return redis.call('DEL', key)
