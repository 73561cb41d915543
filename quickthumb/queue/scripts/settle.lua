-- Settles an attempt: its item ends and leaves the queue, or waits and is due again after `delay_ms`. Only the holder
-- of the running attempt's token can do so. `forgiven` is 1 when the attempt is not a strike against the item, and
-- `troubled` is 1 when it counts as trouble that the item is not to blame for. With `found_large` as 1, an item that
-- waits is known to be large from now on. `failed_with` is the code of the error of an item that FAILED, else ''. An item
-- that ends lives for `retention_seconds`, unless its record says how long it is kept.
-- Returns 1 when the attempt was settled, 0 when its lease is lost.
-- USES: now, move, enqueue, dequeue, observe, counted
-- KEYS: record, lease, index, call, queue, large, tries, wake, totals, events, quotas
-- ARGV: id, token, target, delay_ms, retention_seconds, wake_seconds, forgiven, troubled, found_large, busy_ms
-- ARGV: totals_prefix, failed_with, source_seconds
-- ARGV*: fields
local status, created_ms, holder, names, kept_seconds, counted_for, attempt = unpack(
  redis.call('HMGET', record, 'status', 'created_ms', 'token', 'list', 'kept_seconds', 'counted_for', 'attempts'))
if holder ~= token or not allowed(status, target) then return 0 end
redis.call('HSET', record, 'status', target, unpack(fields))
redis.call('HDEL', record, 'token')
if forgiven == '1' then redis.call('HINCRBY', record, 'strikes', -1) end
if troubled == '1' then
  redis.call('HSETNX', record, 'troubled_ms', string.format('%.0f', now_ms()))
  redis.call('HINCRBY', record, 'troubles', 1)
end
redis.call('HINCRBY', totals, totals_prefix .. 'attempts:' .. target, 1)
redis.call('HINCRBY', totals, totals_prefix .. 'busy_ms', busy_ms)
count_for(names, totals, {['attempts:' .. target] = 1})
observe(totals, totals_prefix .. 'attempt', tonumber(busy_ms))
if failed_with ~= '' then redis.call('HINCRBY', totals, totals_prefix .. 'failed:' .. failed_with, 1) end
if redis.call('GET', lease) == token then redis.call('DEL', lease) end
if target ~= WAITING then
  redis.call('EXPIRE', record, kept_seconds or retention_seconds)
  dequeue(queue, call, tries, large, id)
  recount(quotas, counted_for, record, id, target, kept_seconds or retention_seconds, source_seconds)
elseif tonumber(delay_ms) > 0 then
  redis.call('ZADD', queue, now_ms() + delay_ms, id)
else
  -- The item keeps its place in the queue.
  redis.call('ZADD', queue, 'NX', now_ms(), id)
  wake_one(wake, wake_seconds)
end
if target == WAITING and found_large == '1' then redis.call('SADD', large, id) end
move(index, events, id, created_ms, status, target, names, attempt)
return 1
