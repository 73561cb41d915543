-- Holds on to a key for another `seconds`. Returns 1 while it holds the value, else 0.
-- KEYS: key
-- ARGV: value, seconds
if redis.call('GET', key) ~= value then return 0 end
return redis.call('EXPIRE', key, seconds)
