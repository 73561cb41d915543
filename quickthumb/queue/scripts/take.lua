-- Takes from several quotas at once, or from none if one of them has too little left. A quota with a window follows
-- the generic cell rate algorithm (GCRA): its place holds the time, in microseconds, at which it will be full again.
-- So it admits at most its whole quota at once, and then as much as comes back: quota / window.
-- The other quotas are only looked at: `add` counts against those.
-- `demands` is, for each place, the quota, its window in microseconds (0: without), and the amount. A negative amount
-- gives back. With `commits` as 0, takes nothing, and only says what would happen.
-- Returns, for each place: 1 if its quota admits the amount, else 0; what is left of it; the milliseconds until it
-- admits the amount, or one more if it did admit it, or -1 if nobody can say.
-- USES: now, counted
-- KEYS*: places
-- ARGV: commits
-- ARGV*: demands
local moment = redis.call('TIME')
local now = moment[1] * 1000000 + moment[2]
local answer, full_at, all_admitted = {}, {}, true

-- How much of a quota with a window is left that will be full again at that time.
local function left_of(quota, window, full_at)
  return math.max(0, math.floor((now + window - full_at) * quota / window + 0.001))
end

for number, place in ipairs(places) do
  local quota, window, amount = unpack(demands, 3 * number - 2, 3 * number)
  quota, window, amount = tonumber(quota), tonumber(window), tonumber(amount)
  local is_admitted, left, wait
  if window > 0 then
    local before = math.max(tonumber(redis.call('GET', place) or 0), now)
    local after = math.max(before + amount * window / quota, now)
    local late = after - now - window
    -- Redis' clock knows microseconds, and the sums are rounded.
    is_admitted = amount <= 0 or late <= 1
    full_at[number], left = after, left_of(quota, window, before)
    wait = is_admitted and math.max(0, late + window / quota) or amount > quota and -1000 or late
  else
    left, wait = math.max(0, quota - used(place)), -1000
    is_admitted = amount <= left
  end
  all_admitted = all_admitted and is_admitted
  for _, value in ipairs({is_admitted and 1 or 0, left, math.ceil(wait / 1000)}) do answer[#answer + 1] = value end
end
if not all_admitted or commits ~= '1' then return answer end
for number, place in ipairs(places) do
  local full = full_at[number]
  if full then
    answer[3 * number - 1] = left_of(tonumber(demands[3 * number - 2]), tonumber(demands[3 * number - 1]), full)
    redis.call('DEL', place)
    if full > now then redis.call('SET', place, string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000)) end
  end
end
return answer
