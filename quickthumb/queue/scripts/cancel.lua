-- Cancels an item that has not ended, and takes it out of the queue. A worker that is running it loses its lease.
-- Returns 1 when it was cancelled, 0 when it has ended or is unknown.
-- USES: now, move, dequeue, counted
-- KEYS: record, index, call, queue, large, tries, events, quotas
-- ARGV: id, finished_ms, retention_seconds, source_seconds
local status, created_ms, names, kept_seconds, counted_for = unpack(
  redis.call('HMGET', record, 'status', 'created_ms', 'list', 'kept_seconds', 'counted_for'))
if not allowed(status, CANCELLED) then return 0 end
redis.call('HSET', record, 'status', CANCELLED, 'finished_ms', finished_ms)
redis.call('HDEL', record, 'token')
redis.call('EXPIRE', record, kept_seconds or retention_seconds)
dequeue(queue, call, tries, large, id)
recount(quotas, counted_for, record, id, CANCELLED, kept_seconds or retention_seconds, source_seconds)
move(index, events, id, created_ms, status, CANCELLED, names)
return 1
