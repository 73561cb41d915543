-- Counts an event `id` against several rates, each with its own limit in `most`, unless one of them is used up: a rate
-- admits so many events within any `window_ms`.
-- Returns {0} when the event was counted; else the milliseconds until there is room for one more, and the place in
-- `rates` of the rate that takes longest.
-- USES: now
-- KEYS*: rates
-- ARGV: id, window_ms
-- ARGV*: most
if redis.call('ZSCORE', rates[1], id) then return {0} end  -- counted already: only Redis' answer was lost
local now, longest, which = now_ms(), 0, nil
for place, rate in ipairs(rates) do
  redis.call('ZREMRANGEBYSCORE', rate, '-inf', now - window_ms)
  local over = redis.call('ZCARD', rate) - most[place]
  if over >= 0 then
    local leaving = redis.call('ZRANGE', rate, over, over, 'WITHSCORES')
    local left_ms = leaving[2] + window_ms - now
    if left_ms > longest then longest, which = left_ms, place end
  end
end
if which then return {longest, which} end
for _, rate in ipairs(rates) do
  redis.call('ZADD', rate, now, id)
  redis.call('PEXPIRE', rate, window_ms)
end
return {0}
