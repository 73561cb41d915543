-- Replaces the value of a key. Returns 1 if the key held `old`, else 0 with nothing changed.
-- KEYS: key
-- ARGV: old, new
if redis.call('GET', key) ~= old then return 0 end
redis.call('SET', key, new)
return 1
