-- Restores items that Redis has lost: queues those that have not ended, oldest first, and keeps those that have for the
-- rest of their retention time. `places` has two keys for each item: its record and its call. `items` has for each its
-- id, creation time, status, end (0: none), arq's entry ('' for one that has ended), and its fields after their number.
-- Wakes one worker, if it queues any: that one looks again by itself, as long as it finds something. Publishes nothing.
-- Returns for each item 1 when it was restored, 0 when Redis knows it already or its retention time is over.
-- USES: now, move, enqueue
-- KEYS: index, queue, wake
-- KEYS*: places
-- ARGV: waiting_seconds, retention_seconds, index_seconds, wake_seconds
-- ARGV*: items
local now, restored, filled, at = now_ms(), {}, {}, 1
for number = 1, #places / 2 do
  local record, call = places[2 * number - 1], places[2 * number]
  local id, created_ms, status, finished_ms, entry, count = unpack(items, at, at + 5)
  local first, last = at + 6, at + 5 + count
  at = last + 1
  local left_seconds = waiting_seconds
  if entry == '' then
    left_seconds = math.min(retention_seconds, retention_seconds - math.floor((now - finished_ms) / 1000))
  end
  if tonumber(left_seconds) <= 0 or redis.call('EXISTS', record) == 1 then
    restored[number] = 0
  else
    redis.call('HSET', record, unpack(items, first, last))
    redis.call('EXPIRE', record, left_seconds)
    redis.call('ZADD', index, 0, created_ms .. ':' .. id)
    redis.call('ZADD', index_of(index, status), 0, created_ms .. ':' .. id)
    if entry ~= '' then
      redis.call('SET', call, entry, 'EX', waiting_seconds)
      redis.call('ZADD', queue, math.min(created_ms, now), id)
    end
    filled[status] = true
    restored[number] = 1
  end
end
if next(filled) then redis.call('EXPIRE', index, index_seconds) end
for status in pairs(filled) do
  redis.call('EXPIRE', index_of(index, status), index_seconds)
end
if filled[WAITING] then wake_one(wake, wake_seconds) end
return restored
