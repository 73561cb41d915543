-- Gives `id` a seat in each of several places for `seat_ms`, or in none if one of them is full; for one who has its
-- seats already, makes them last for `seat_ms` from now. `most` has how many seats each place has.
-- Returns 0 when it has its seats, else the number of the first place that is full.
-- USES: now
-- KEYS*: places
-- ARGV: id, seat_ms
-- ARGV*: most
local now = now_ms()
for number, place in ipairs(places) do
  redis.call('ZREMRANGEBYSCORE', place, '-inf', now)
  if not redis.call('ZSCORE', place, id) and redis.call('ZCARD', place) >= tonumber(most[number]) then return number end
end
for _, place in ipairs(places) do
  redis.call('ZADD', place, now + seat_ms, id)
  redis.call('PEXPIRE', place, seat_ms)
end
return 0
