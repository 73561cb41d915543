-- Takes an id from arq's queue, with all that arq keeps for it but the lease.
local function dequeue(queue, call, tries, id)
  redis.call('DEL', call, tries)
  redis.call('ZREM', queue, id)
end
