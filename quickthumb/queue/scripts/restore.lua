-- Restores items that Redis has lost: queues those that have not ended, by age, and keeps those that have for the rest
-- of their retention time. `items` is a JSON list of [id, created_ms, status, finished_ms, entry, fields, run_at_ms], all
-- of them text, where `entry` is empty for an item that has ended, and `run_at_ms` for one that is due at once.
-- If it queues any, it wakes one worker: that one goes on looking for as long as it finds some. It publishes nothing.
-- Returns for each item 1 when it was restored, 0 when Redis knows it already or its retention time is over.
-- USES: now, move, enqueue
-- KEYS: index, queue, wake
-- ARGV: record_prefix, call_prefix, waiting_seconds, retention_seconds, index_seconds, wake_seconds, items
local now, restored, filled = now_ms(), {}, {}
for number, item in ipairs(cjson.decode(items)) do
  local id, created_ms, status, finished_ms, entry, fields, run_at_ms = unpack(item)
  local due_ms = tonumber(run_at_ms) or math.min(created_ms, now)
  local record, left_seconds = record_prefix .. id, waiting_seconds + math.max(0, math.ceil((due_ms - now) / 1000))
  if entry == '' then
    left_seconds = retention_seconds - math.max(0, math.floor((now - finished_ms) / 1000))
  end
  if left_seconds <= 0 or redis.call('EXISTS', record) == 1 then
    restored[number] = 0
  else
    redis.call('HSET', record, unpack(fields))
    redis.call('EXPIRE', record, left_seconds)
    redis.call('ZADD', index, 0, created_ms .. ':' .. id)
    redis.call('ZADD', index_of(index, status), 0, created_ms .. ':' .. id)
    if entry ~= '' then
      redis.call('SET', call_prefix .. id, entry, 'EX', left_seconds)
      redis.call('ZADD', queue, due_ms, id)
    end
    filled[status], restored[number] = true, 1
  end
end
for status in pairs(filled) do
  redis.call('EXPIRE', index, index_seconds)
  redis.call('EXPIRE', index_of(index, status), index_seconds)
end
if filled[WAITING] then wake_one(wake, wake_seconds) end
return restored
