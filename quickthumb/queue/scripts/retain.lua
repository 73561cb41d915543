-- Looks through the next `most` entries of the index of one status, from the one after `last` on ('' to begin), and has
-- the records of those items that have ended expire by the retention times that count now: by that of the record itself,
-- else by that of its tenant in `tenants_seconds`, a JSON object in which '' stands for those that name none, else after
-- `retention_seconds`. The indexes live on for as long as the items can, also those that have not ended. What has
-- outlived its time already is left to expire by itself.
-- Returns the last entry that it looked at, or '' at the end.
-- USES: now, move, list
-- KEYS: index
-- ARGV: record_prefix, status, last, most, waiting_seconds, retention_seconds, tenants_seconds
local now, of_tenants = now_ms(), cjson.decode(tenants_seconds)
local entries = redis.call(
  'ZRANGE', index_of(index, status), last == '' and '-' or '(' .. last, '+', 'BYLEX', 'LIMIT', 0, most)
for _, entry in ipairs(entries) do
  local record = record_prefix .. string.sub(entry, string.find(entry, ':', 1, true) + 1)
  local finished_ms, names, kept_seconds = unpack(redis.call('HMGET', record, 'finished_ms', 'list', 'kept_seconds'))
  local unended_seconds = redis.call('TTL', record)
  local seconds = tonumber(kept_seconds or of_tenants[tenant_in(names) or ''] or retention_seconds)
  local left_seconds = unended_seconds > 0 and seconds or 0
  if finished_ms then
    unended_seconds = tonumber(waiting_seconds)
    left_seconds = seconds - math.max(0, math.floor((now - finished_ms) / 1000))
    if left_seconds > 0 then redis.call('EXPIRE', record, string.format('%.0f', left_seconds)) end
  end
  if left_seconds > 0 then
    for _, all in ipairs(lists_of(index, names)) do prolong(all, string.format('%.0f', unended_seconds + seconds)) end
  end
end
return #entries < tonumber(most) and '' or entries[#entries]
