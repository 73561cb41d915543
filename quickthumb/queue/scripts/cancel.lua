-- Cancels an item that has not ended, and takes it out of the queue. A worker that is running it loses its lease.
-- Returns 1 when it was cancelled, 0 when it has ended or is unknown.
-- USES: move, dequeue
-- KEYS: record, index, call, queue, large, tries, events
-- ARGV: id, finished_ms, retention_seconds
local status, created_ms, tenant = unpack(redis.call('HMGET', record, 'status', 'created_ms', 'tenant'))
if not allowed(status, CANCELLED) then return 0 end
redis.call('HSET', record, 'status', CANCELLED, 'finished_ms', finished_ms)
redis.call('HDEL', record, 'token')
redis.call('EXPIRE', record, retention_seconds)
dequeue(queue, call, tries, large, id)
move(index, events, id, created_ms, status, CANCELLED, tenant)
return 1
