-- Returns for how many milliseconds the job that has been due for longest has waited; 0 if none waits. Jobs that run and
-- jobs that are due later do not count. Looks at `scan_most` items at most.
-- USES: now
-- KEYS: queue
-- ARGV: record_prefix, scan_most
local now, batch = now_ms(), 100
for offset = 0, scan_most - 1, batch do
  local ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, batch)
  for place = 1, #ids, 2 do
    if redis.call('HGET', record_prefix .. ids[place], 'status') == WAITING then
      local score = tonumber(ids[place + 1])
      return now - (score < 0 and score + PARKED_MS or score)
    end
  end
  if #ids < 2 * batch then return 0 end
end
return 0
