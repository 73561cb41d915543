-- Looks through an index of items that have not ended, `most` entries after the entry `last` ('' to begin), for items
-- that are missing in arq's queue.
-- Returns the last entry that it looked at, '' after the end of the index; then the entries of the missing items.
-- KEYS: index, queue
-- ARGV: call_prefix, last, most
local entries = redis.call('ZRANGE', index, last == '' and '-' or '(' .. last, '+', 'BYLEX', 'LIMIT', 0, most)
local answer = {entries[#entries] or ''}
for _, entry in ipairs(entries) do
  local id = string.match(entry, ':(.+)')
  if not redis.call('ZSCORE', queue, id) or redis.call('EXISTS', call_prefix .. id) == 0 then
    answer[#answer + 1] = entry
  end
end
return answer
