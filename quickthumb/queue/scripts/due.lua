-- Reads up to `most` ids that are due and that no worker is running, earliest first. arq itself would read the head of
-- the queue, running jobs included, and starve the items behind them. When nothing is due, the wake-up tokens are stale
-- and are deleted; an item that is queued later leaves a new one. Leaves out the ids in `passed_over`, which are
-- separated by spaces.
-- Returns {{id, score, id, score …}, the milliseconds until the next id is due, or -1}.
-- USES: now
-- KEYS: queue, wake
-- ARGV: lease_prefix, most, scan_most, passed_over
local now, batch = now_ms(), 128
local found, offset, passed = {}, 0, {}
for id in string.gmatch(passed_over, '%S+') do passed[id] = true end
while #found < 2 * most and offset < tonumber(scan_most) do
  local entries = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, batch)
  for place = 1, #entries, 2 do
    if #found < 2 * most and not passed[entries[place]] and redis.call('EXISTS', lease_prefix .. entries[place]) == 0 then
      found[#found + 1] = entries[place]
      found[#found + 1] = entries[place + 1]
    end
  end
  if #entries < 2 * batch then break end
  offset = offset + batch
end
if #found > 0 then return {found, -1} end
redis.call('DEL', wake)
local following = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {found, following[2] and math.ceil(following[2] - now) or -1}
