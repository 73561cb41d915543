-- Restores an item that has ended, for the rest of its retention time.
-- Returns 1 when it was restored, 0 when Redis knows it already or its retention time is over.
-- USES: now, move, list
-- KEYS: record, index, events
-- ARGV: id, created_ms, status, finished_ms, retention_seconds, index_seconds
-- ARGV*: fields
if redis.call('EXISTS', record) == 1 then return 0 end
local left_seconds = retention_seconds - math.floor((now_ms() - finished_ms) / 1000)
if left_seconds <= 0 then return 0 end
redis.call('HSET', record, 'created_ms', created_ms, unpack(fields))
redis.call('HSET', record, 'status', status)
redis.call('EXPIRE', record, math.min(left_seconds, retention_seconds))
list(index, id, created_ms, index_seconds)
move(index, events, id, created_ms, nil, status)
return 1
