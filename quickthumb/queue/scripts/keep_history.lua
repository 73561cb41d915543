-- Keeps a snapshot of the counters in each of several spans, unless the span's present slot has one. `terms` has, for
-- each span, the seconds of a slot and how many slots are kept. Returns in how many spans it was kept.
-- USES: now
-- KEYS*: spans
-- ARGV: snapshot
-- ARGV*: terms
local now, kept = math.floor(now_ms() / 1000), 0
for place, span in ipairs(spans) do
  local seconds, most = tonumber(terms[2 * place - 1]), tonumber(terms[2 * place])
  local slot = now - now % seconds
  if redis.call('HSETNX', span, string.format('%d', slot), snapshot) == 1 then
    kept = kept + 1
    redis.call('EXPIRE', span, 2 * seconds * most)
    for _, other in ipairs(redis.call('HKEYS', span)) do
      if tonumber(other) <= slot - seconds * most then redis.call('HDEL', span, other) end
    end
  end
end
return kept
