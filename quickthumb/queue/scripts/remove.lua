-- Forgets an item, whatever its status, and takes it out of the queue. A worker that is running it loses its lease.
-- Returns 1 when there was one, else 0.
-- USES: move, dequeue
-- KEYS: record, index, call, queue, large, tries, events
-- ARGV: id
local status, created_ms, tenant = unpack(redis.call('HMGET', record, 'status', 'created_ms', 'tenant'))
if not status then return 0 end
redis.call('DEL', record)
redis.call('ZREM', index, created_ms .. ':' .. id)
dequeue(queue, call, tries, large, id)
move(index, events, id, created_ms, status, nil, tenant)
return 1
