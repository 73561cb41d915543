-- Restores items that Redis has lost: queues those that have not ended, by age, and keeps those that have for the rest
-- of their retention time. `items` is a JSON list of [id, created_ms, status, finished_ms, entry, retention_seconds,
-- source_seconds, run_at_ms, names, fields, counted_for], all of them text, where `entry` is empty for an item that has
-- ended, `run_at_ms` for one that is due at once, `names` for one that is in no list but that of all, and
-- `counted_for` if no quota counts it.
-- If it queues any, it wakes one worker: that one goes on looking for as long as it finds some. It adds no events.
-- Returns for each item 1 when it was restored, 0 when Redis knows it already or its retention time is over.
-- USES: now, move, list, enqueue, counted
-- KEYS: index, queue, wake, lists, quotas
-- ARGV: record_prefix, call_prefix, waiting_seconds, wake_seconds, items
local now, restored, filled, is_queued = now_ms(), {}, {}, false
for number, item in ipairs(cjson.decode(items)) do
  local id, created_ms, status, finished_ms, entry, retention_seconds, source_seconds, run_at_ms, names, fields,
    counted_for = unpack(item)
  local due_ms = tonumber(run_at_ms) or math.min(created_ms, now)
  local unended_seconds = waiting_seconds + math.max(0, math.ceil((due_ms - now) / 1000))
  local record, left_seconds, source_left = record_prefix .. id, unended_seconds, unended_seconds
  if entry == '' then
    local ago_seconds = math.max(0, math.floor((now - finished_ms) / 1000))
    left_seconds, source_left = retention_seconds - ago_seconds, source_seconds - ago_seconds
  end
  if left_seconds <= 0 or redis.call('EXISTS', record) == 1 then
    restored[number] = 0
  else
    redis.call('HSET', record, unpack(fields))
    redis.call('EXPIRE', record, left_seconds)
    for _, all in ipairs(lists_of(index, names)) do
      redis.call('ZADD', all, 0, created_ms .. ':' .. id)
      enter(all, status, created_ms .. ':' .. id)
      filled[all] = math.max(filled[all] or 0, unended_seconds + retention_seconds)
    end
    name_lists(lists, names)
    if entry ~= '' then
      redis.call('SET', call_prefix .. id, entry, 'EX', left_seconds)
      redis.call('ZADD', queue, due_ms, id)
      is_queued = true
    end
    recount(quotas, counted_for, record, id, status, left_seconds, source_left)
    restored[number] = 1
  end
end
for all, seconds in pairs(filled) do prolong(all, string.format('%.0f', seconds)) end
if is_queued then wake_one(wake, wake_seconds) end
return restored
