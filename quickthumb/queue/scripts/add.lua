-- Adds a new item and queues it, both or neither. With `idempotency`, also stores `used_for` under that key.
-- With `is_large` as 1, it is known to be large. It is in the lists with these `names`, and with its `size_bytes` in the
-- totals of the tenant among them. The item is due at `run_at_ms`; if that is '', at once, even if its creation time is
-- in the future.
-- With `counted_for`, counts it against quotas on what is there at the same time: `room` is a JSON list with the name, the
-- quota and the amount of each.
-- Returns 1 when it was added, 0 when it was already known, -1 when `most` items have not ended yet (0: no limit), and
-- -2, -3, … when the first, the second … of the quotas has too little room.
-- USES: now, move, list, enqueue, counted
-- KEYS: record, index, call, queue, large, wake, events, lists, totals, quotas
-- KEYS?: idempotency
-- ARGV: id, created_ms, entry, waiting_seconds, index_seconds, wake_seconds, most, is_large, used_for, used_seconds
-- ARGV: names, size_bytes, run_at_ms, counted_for, room
-- ARGV*: fields
if redis.call('EXISTS', record) == 1 then return 0 end
if tonumber(most) > 0 then
  local unended = redis.call('ZCARD', index_of(index, WAITING)) + redis.call('ZCARD', index_of(index, IN_PROGRESS))
  if unended >= tonumber(most) then return -1 end
end
if counted_for ~= '' then
  for number, demand in ipairs(cjson.decode(room)) do
    if used(quotas .. ':' .. demand[1]) + demand[3] > demand[2] then return -1 - number end
  end
end
redis.call('HSET', record, 'created_ms', created_ms, 'status', WAITING, unpack(fields))
local now = now_ms()
local due_ms = tonumber(run_at_ms) or math.min(created_ms, now)
waiting_seconds = waiting_seconds + math.max(0, math.ceil((due_ms - now) / 1000))
redis.call('EXPIRE', record, waiting_seconds)
if is_large == '1' then redis.call('SADD', large, id) end
enqueue(queue, call, wake, id, due_ms, entry, waiting_seconds, wake_seconds)
list(index, id, created_ms, index_seconds, names, lists)
if idempotency then redis.call('SET', idempotency, used_for, 'EX', used_seconds) end
recount(quotas, counted_for, record, id, WAITING, waiting_seconds, waiting_seconds)
count_for(names, totals, {accepted = 1, accepted_bytes = size_bytes})
move(index, events, id, created_ms, nil, WAITING, names)
return 1
