-- Queues an item that has not ended but is missing in arq's queue: arq silently drops entries that it cannot call.
-- If the item has expired or has another status, removes its stale entry from the indexes of items that have not ended.
-- Returns 1 if the item was missing from the queue, else 0.
-- USES: now, move, enqueue
-- KEYS: record, index, call, queue, wake
-- ARGV: id, created_ms, entry, waiting_seconds, wake_seconds
local status, run_at_ms, names = unpack(redis.call('HMGET', record, 'status', 'run_at_ms', 'list'))
local place = created_ms .. ':' .. id
local lists, is_unended = lists_of(index, names), status == WAITING or status == IN_PROGRESS
for _, all in ipairs(lists) do
  if status ~= WAITING then redis.call('ZREM', index_of(all, WAITING), place) end
  if status ~= IN_PROGRESS then redis.call('ZREM', index_of(all, IN_PROGRESS), place) end
  if is_unended then enter(all, status, place) end
end
if not is_unended then return 0 end
if redis.call('ZSCORE', queue, id) and redis.call('EXISTS', call) == 1 then return 0 end
local due_ms = math.max(now_ms(), tonumber(run_at_ms) or 0)
enqueue(queue, call, wake, id, due_ms, entry, waiting_seconds, wake_seconds)
return 1
