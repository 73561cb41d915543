-- Records that a worker is alive now, in one of two lists, and takes it out of the other. Forgets workers of the list
-- without a sign of life for `silent_seconds`. Returns nothing.
-- KEYS: workers, others
-- ARGV: worker, silent_seconds
local moment = redis.call('TIME')
local now = moment[1] + moment[2] / 1000000
redis.call('ZREM', others, worker)
redis.call('ZADD', workers, now, worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - silent_seconds)
redis.call('EXPIRE', workers, silent_seconds)
