-- Forgets an item, whatever its status, and takes it out of the queue. A worker that is running it loses its lease.
-- Returns 1 when there was one, else 0.
-- USES: now, move, dequeue, counted
-- KEYS: record, index, call, queue, large, tries, events, quotas
-- ARGV: id
local status, created_ms, names, counted_for = unpack(
  redis.call('HMGET', record, 'status', 'created_ms', 'list', 'counted_for'))
if not status then return 0 end
redis.call('DEL', record)
for _, all in ipairs(lists_of(index, names)) do redis.call('ZREM', all, created_ms .. ':' .. id) end
dequeue(queue, call, tries, large, id)
recount(quotas, counted_for, record, id, nil, 0, 0)
move(index, events, id, created_ms, status, nil, names)
return 1
