-- Records that a worker is alive now, in one of two lists, and takes it out of the other. Forgets workers of the list
-- without a sign of life for `silent_seconds`. Keeps for as long what the worker says of itself, if it says anything.
-- Returns nothing.
-- KEYS: workers, others, about
-- ARGV: worker, silent_seconds, report
local moment = redis.call('TIME')
local now = moment[1] + moment[2] / 1000000
redis.call('ZREM', others, worker)
redis.call('ZADD', workers, now, worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - silent_seconds)
redis.call('EXPIRE', workers, silent_seconds)
if report ~= '' then redis.call('SET', about, report, 'EX', silent_seconds) end
