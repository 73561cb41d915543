-- Adds a new item and queues it, both or neither. With `idempotency`, also stores `used_for` under that key.
-- With `is_large` as 1, it is known to be large. The item is due at `run_at_ms`; if that is '', at once, even if its
-- creation time is in the future.
-- Returns 1 when it was added, 0 when it was already known, -1 when `most` items have not ended yet (0: no limit).
-- USES: now, move, list, enqueue
-- KEYS: record, index, call, queue, large, wake, events
-- KEYS?: idempotency
-- ARGV: id, created_ms, entry, waiting_seconds, index_seconds, wake_seconds, most, is_large, used_for, used_seconds
-- ARGV: run_at_ms
-- ARGV*: fields
if redis.call('EXISTS', record) == 1 then return 0 end
if tonumber(most) > 0 then
  local unended = redis.call('ZCARD', index_of(index, WAITING)) + redis.call('ZCARD', index_of(index, IN_PROGRESS))
  if unended >= tonumber(most) then return -1 end
end
redis.call('HSET', record, 'created_ms', created_ms, 'status', WAITING, unpack(fields))
local now = now_ms()
local due_ms = tonumber(run_at_ms) or math.min(created_ms, now)
waiting_seconds = waiting_seconds + math.max(0, math.ceil((due_ms - now) / 1000))
redis.call('EXPIRE', record, waiting_seconds)
if is_large == '1' then redis.call('SADD', large, id) end
enqueue(queue, call, wake, id, due_ms, entry, waiting_seconds, wake_seconds)
list(index, id, created_ms, index_seconds)
if idempotency then redis.call('SET', idempotency, used_for, 'EX', used_seconds) end
move(index, events, id, created_ms, nil, WAITING)
return 1
