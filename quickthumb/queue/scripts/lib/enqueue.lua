-- Wakes one sleeping worker. Tokens for workers that are about to sleep begin a new list: a worker deletes the old one
-- when it finds nothing to do. So it is enough to have the list expire once.
local function wake_one(wake, wake_seconds)
  if redis.call('RPUSH', wake, 1) == 1 then redis.call('EXPIRE', wake, wake_seconds) end
end

-- Puts an id into arq's queue, stores the entry that tells arq what to call for it, and wakes a worker.
local function enqueue(queue, call, wake, id, due_ms, entry, entry_seconds, wake_seconds)
  redis.call('SET', call, entry, 'EX', entry_seconds)
  redis.call('ZADD', queue, due_ms, id)
  wake_one(wake, wake_seconds)
end
