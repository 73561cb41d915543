-- Takes one of `most` places for `lease_ms`, or keeps the one that this token has. Places whose lease has lapsed are free.
-- Returns 1 if the token has a place now, 0 if all are taken.
-- USES: now
-- KEYS: places
-- ARGV: token, most, lease_ms
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
if not redis.call('ZSCORE', places, token) and redis.call('ZCARD', places) >= tonumber(most) then return 0 end
redis.call('ZADD', places, now + lease_ms, token)
redis.call('PEXPIRE', places, lease_ms)
return 1
