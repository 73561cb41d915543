-- Takes a key for the first who comes (SET with NX and GET needs Redis 7).
-- Returns nothing when it was free, else what it holds.
-- KEYS: key
-- ARGV: value, seconds
local held = redis.call('GET', key)
if held then return held end
redis.call('SET', key, value, 'EX', seconds)
return false
