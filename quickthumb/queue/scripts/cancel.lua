-- Cancels an item that has not ended, and takes it out of the queue. A worker that is running it loses its lease.
-- Returns 1 when it was cancelled, 0 when it has ended or is unknown.
-- USES: now, move, dequeue, counted, broken_off
-- KEYS: record, index, call, queue, large, tries, events, quotas
-- ARGV: id, finished_ms, retention_seconds, source_seconds
local status, created_ms, names, kept_seconds, counted_for, attempt, started_ms, history = unpack(redis.call('HMGET',
  record, 'status', 'created_ms', 'list', 'kept_seconds', 'counted_for', 'attempts', 'started_ms', 'history'))
if not allowed(status, CANCELLED) then return 0 end
local changes = {'status', CANCELLED, 'finished_ms', finished_ms}
if status == IN_PROGRESS and started_ms then
  local busy_ms = math.max(0, finished_ms - started_ms)
  changes[5], changes[6] = 'history', broken_off(history or nil, attempt, started_ms, busy_ms, CANCELLED)
end
redis.call('HSET', record, unpack(changes))
redis.call('HDEL', record, 'token')
redis.call('EXPIRE', record, kept_seconds or retention_seconds)
dequeue(queue, call, tries, large, id)
recount(quotas, counted_for, record, id, CANCELLED, kept_seconds or retention_seconds, source_seconds)
move(index, events, id, created_ms, status, CANCELLED, names)
return 1
