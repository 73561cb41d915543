-- Deletes a key, if it still holds the value. Returns 1 if it did, else 0.
-- KEYS: key
-- ARGV: value
if redis.call('GET', key) ~= value then return 0 end
return redis.call('DEL', key)
