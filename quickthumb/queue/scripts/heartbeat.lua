-- Records that a worker is alive now, and forgets workers without a heartbeat for `silent_seconds`. Returns nothing.
-- KEYS: workers
-- ARGV: worker, silent_seconds
local moment = redis.call('TIME')
local now = moment[1] + moment[2] / 1000000
redis.call('ZADD', workers, now, worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - silent_seconds)
redis.call('EXPIRE', workers, silent_seconds)
