-- Changes when an item that is WAITING is served: its priority, and, with `reschedules` as 1, when it is due (at once if
-- `run_at_ms` is ''). `number` counts the changes of an item: of several that arrive in any order, the last one stands.
-- The indexes live on for as long as the item can, and quotas count it for as long.
-- Returns 1 when this change or a later one stands, 0 when the item is not WAITING.
-- USES: now, move, list, enqueue, lines, counted
-- KEYS: record, index, call, queue, large, wake, events, quotas
-- ARGV: id, kind, number, priority, reschedules, run_at_ms, waiting_seconds, wake_seconds, retention_seconds
local status, created_ms, old_priority, group, changes, names, kept_seconds, counted_for = unpack(redis.call('HMGET',
  record, 'status', 'created_ms', 'priority', 'group', 'changes', 'list', 'kept_seconds', 'counted_for'))
if status ~= WAITING then return 0 end
if tonumber(changes or 0) >= tonumber(number) then return 1 end
local now, score = now_ms(), tonumber(redis.call('ZSCORE', queue, id) or 0)
local due_ms = score < 0 and score + PARKED_MS or score
if score < 0 then
  local is_large = redis.call('SMISMEMBER', large, id)[1] == 1
  local class = class_of(kind, old_priority or nil, is_large)
  redis.call('ZREM', line_of(queue, class), entry_of(group or '', due_ms, id))
end
redis.call('HSET', record, 'changes', number, 'priority', priority)
if reschedules == '1' then
  due_ms = tonumber(run_at_ms) or now
  if run_at_ms == '' then
    redis.call('HDEL', record, 'run_at_ms')
  else
    redis.call('HSET', record, 'run_at_ms', run_at_ms)
  end
end
local left_seconds = waiting_seconds + math.max(0, math.ceil((due_ms - now) / 1000))
redis.call('EXPIRE', record, left_seconds)
redis.call('EXPIRE', call, left_seconds)
for _, all in ipairs(lists_of(index, names)) do
  prolong(all, string.format('%.0f', left_seconds + (kept_seconds or retention_seconds)))
end
recount(quotas, counted_for, record, id, status, left_seconds, left_seconds)
redis.call('ZADD', queue, due_ms, id)
wake_one(wake, wake_seconds)
move(index, events, id, created_ms, status, status, names)
return 1
