-- Makes a key live for another `seconds`, if it still holds the value. Returns 1 if it does, else 0.
-- KEYS: key
-- ARGV: value, seconds
if redis.call('GET', key) ~= value then return 0 end
return redis.call('EXPIRE', key, seconds)
