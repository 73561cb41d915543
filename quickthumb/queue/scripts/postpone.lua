-- Makes a queued id due again after `delay_ms`, without an attempt. Returns 1 when it was in the queue, else 0.
-- USES: now
-- KEYS: queue
-- ARGV: id, delay_ms
if not redis.call('ZSCORE', queue, id) then return 0 end
redis.call('ZADD', queue, now_ms() + delay_ms, id)
return 1
