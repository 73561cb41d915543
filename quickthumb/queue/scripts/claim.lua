-- Claims an item for one attempt: from WAITING, or from IN_PROGRESS when the lease of its worker has lapsed, which arq
-- checks beforehand. The attempt counts as a strike until it is settled as blameless. The first attempt also counts how
-- long the item waited. An item that has ended or is unknown leaves the queue.
-- Returns the number of the attempt, its strike and the record's fields; {0} when the item has ended, {-1} when it is
-- unknown.
-- USES: now, move, dequeue, observe
-- KEYS: record, lease, index, call, queue, large, tries, totals, events
-- ARGV: id, token, lease_ms, totals_prefix
local status, created_ms, holder = unpack(redis.call('HMGET', record, 'status', 'created_ms', 'token'))
if holder == token and status == IN_PROGRESS then
  -- The same claim again: only Redis' answer to it was lost.
  redis.call('SET', lease, token, 'PX', lease_ms)
  local attempts, strikes = unpack(redis.call('HMGET', record, 'attempts', 'strikes'))
  return {tonumber(attempts), tonumber(strikes), redis.call('HGETALL', record)}
end
if not allowed(status, IN_PROGRESS) then
  dequeue(queue, call, tries, large, id)
  redis.call('DEL', lease)
  return {status and 0 or -1}
end
local now = now_ms()
redis.call('HSET', record, 'status', IN_PROGRESS, 'token', token, 'started_ms', string.format('%.0f', now))
redis.call('SET', lease, token, 'PX', lease_ms)
move(index, events, id, created_ms, status, IN_PROGRESS)
local number = redis.call('HINCRBY', record, 'attempts', 1)
if number == 1 then
  local due_ms = tonumber(redis.call('ZSCORE', queue, id)) or now
  observe(totals, totals_prefix .. 'wait', math.max(0, now - due_ms))
end
local strike = redis.call('HINCRBY', record, 'strikes', 1)
return {number, strike, redis.call('HGETALL', record)}
