-- Takes an id out of arq's queue, and deletes everything that arq keeps for it except the lease.
local function dequeue(queue, call, tries, large, id)
  redis.call('DEL', call, tries)
  redis.call('ZREM', queue, id)
  redis.call('SREM', large, id)
end
