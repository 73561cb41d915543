-- Takes a key if it is free. (A SET with NX and GET would do the same, but needs Redis 7.)
-- Returns nothing when the key was free, else the value that it holds.
-- KEYS: key
-- ARGV: value, seconds
local held = redis.call('GET', key)
if held and held ~= value then return held end
redis.call('SET', key, value, 'EX', seconds)
return false
