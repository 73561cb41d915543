-- Queues a FAILED item again, without its strikes and its troubles. An item that had more than one strike keeps one, and
-- so goes to the sandbox at once: otherwise a client that retries it again and again could kill a worker each time.
-- The indexes live on for as long as the item can.
-- Returns 1 when the item is WAITING now, 0 when it was not FAILED.
-- USES: now, move, list, enqueue, counted
-- KEYS: record, index, call, queue, wake, events, quotas
-- ARGV: id, entry, waiting_seconds, wake_seconds, retention_seconds
local status, created_ms, strikes, names, counted_for, kept_seconds = unpack(
  redis.call('HMGET', record, 'status', 'created_ms', 'strikes', 'list', 'counted_for', 'kept_seconds'))
if status ~= FAILED or not allowed(status, WAITING) then return 0 end
redis.call('HSET', record, 'status', WAITING, 'strikes', tonumber(strikes or 0) > 1 and 1 or 0)
redis.call('HDEL', record, 'error', 'results', 'finished_ms', 'troubles', 'troubled_ms', 'fetches')
redis.call('EXPIRE', record, waiting_seconds)
for _, all in ipairs(lists_of(index, names)) do
  prolong(all, string.format('%.0f', waiting_seconds + (kept_seconds or retention_seconds)))
end
enqueue(queue, call, wake, id, now_ms(), entry, waiting_seconds, wake_seconds)
recount(quotas, counted_for, record, id, WAITING, waiting_seconds, waiting_seconds)
move(index, events, id, created_ms, status, WAITING, names)
return 1
