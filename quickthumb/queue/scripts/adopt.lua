-- Moves ids from the queue of an older release to this one, with their due times: those of `ids` whose record, at the
-- same place in `records`, exists. All others belong to another application.
-- Returns how many it moved.
-- USES: enqueue
-- KEYS: old_queue, queue, wake
-- KEYS*: records
-- ARGV: wake_seconds
-- ARGV*: ids
local moved = 0
for place, id in ipairs(ids) do
  local score = redis.call('ZSCORE', old_queue, id)
  if score and redis.call('EXISTS', records[place]) == 1 then
    redis.call('ZREM', old_queue, id)
    redis.call('ZADD', queue, 'NX', score, id)
    moved = moved + 1
  end
end
if moved > 0 then wake_one(wake, wake_seconds) end
return moved
