-- Lets an item that has FAILED wait for another attempt, with a clean slate. One that had more than one strike keeps one,
-- and so goes to the sandbox at once: else whoever asked for it again and again would kill a worker each time.
-- Returns 1 when it waits, 0 when it has not FAILED.
-- USES: now, move, enqueue
-- KEYS: record, index, call, queue, wake, events
-- ARGV: id, entry, waiting_seconds, wake_seconds
local status, created_ms, strikes = unpack(redis.call('HMGET', record, 'status', 'created_ms', 'strikes'))
if status ~= FAILED or not allowed(status, WAITING) then return 0 end
redis.call('HSET', record, 'status', WAITING, 'strikes', tonumber(strikes or 0) > 1 and 1 or 0)
redis.call('HDEL', record, 'error', 'results', 'finished_ms')
redis.call('EXPIRE', record, waiting_seconds)
enqueue(queue, call, wake, id, now_ms(), entry, waiting_seconds, wake_seconds)
move(index, events, id, created_ms, status, WAITING)
return 1
