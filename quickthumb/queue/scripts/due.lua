-- Reads up to `most` ids that are due and that no worker is running, earliest first. arq itself would read the head of
-- the queue, running jobs included, and starve the items behind them. When nothing is due, the wake-up tokens are stale
-- and are deleted; an item that is queued later leaves a new one. Of the `large` ones it returns only the earliest, and
-- none at all unless `takes_large` is 1.
-- Returns {{id, score, id, score …}, the milliseconds until the next id is due, or -1, the large one of them, or ''}.
-- USES: now
-- KEYS: queue, wake, large
-- ARGV: lease_prefix, most, scan_most, takes_large
local now = now_ms()
local found, offset, large_one, has_large = {}, 0, '', redis.call('EXISTS', large) == 1
local batch = has_large and 1024 or 128  -- many may have to be left out
while #found < 2 * most and offset < tonumber(scan_most) do
  local ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', offset, batch)
  local marks = has_large and #ids > 0 and redis.call('SMISMEMBER', large, unpack(ids)) or {}
  for place, id in ipairs(ids) do
    if #found >= 2 * most then break end
    local is_large = marks[place] == 1
    local may_go = not is_large or (takes_large == '1' and large_one == '')
    if may_go and redis.call('EXISTS', lease_prefix .. id) == 0 then
      if is_large then large_one = id end
      found[#found + 1] = id
      found[#found + 1] = redis.call('ZSCORE', queue, id)
    end
  end
  if #ids < batch then break end
  offset = offset + batch
end
if #found > 0 then return {found, -1, large_one} end
redis.call('DEL', wake)
local following = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {found, following[2] and math.ceil(following[2] - now) or -1, ''}
