-- Queues an item that has not ended but is missing in arq's queue: arq drops what it cannot call without telling anyone.
-- Returns 1 when it was missing, else 0.
-- USES: now, enqueue
-- KEYS: record, call, queue, wake
-- ARGV: id, entry, waiting_seconds, wake_seconds
local status = redis.call('HGET', record, 'status')
if status ~= WAITING and status ~= IN_PROGRESS then return 0 end
if redis.call('ZSCORE', queue, id) and redis.call('EXISTS', call) == 1 then return 0 end
enqueue(queue, call, wake, id, now_ms(), entry, waiting_seconds, wake_seconds)
return 1
