-- Looks through the next `most` entries of an index of all statuses, from the one after `last` on ('' to begin), of items
-- that were added `oldest_seconds` ago or earlier. Drops the entries of those whose records have expired, there and in
-- the indexes of each status. Without any entry left, also forgets the list's `name`, if it has one.
-- Returns {the last entry that it looked at, or '' at the end; how many it dropped}.
-- USES: now, move
-- KEYS: index, lists
-- ARGV: record_prefix, last, most, oldest_seconds, name
local newest = string.format('(%.0f', now_ms() - oldest_seconds * 1000)
local entries = redis.call('ZRANGE', index, last == '' and '-' or '(' .. last, newest, 'BYLEX', 'LIMIT', 0, most)
local expired = {}
for _, entry in ipairs(entries) do
  local id = string.sub(entry, string.find(entry, ':', 1, true) + 1)
  if redis.call('EXISTS', record_prefix .. id) == 0 then expired[#expired + 1] = entry end
end
if #expired > 0 then
  redis.call('ZREM', index, unpack(expired))
  for _, status in ipairs(STATUSES) do redis.call('ZREM', index_of(index, status), unpack(expired)) end
end
if name ~= '' and redis.call('EXISTS', index) == 0 then redis.call('ZREM', lists, name) end
return {#entries < tonumber(most) and '' or entries[#entries], #expired}
