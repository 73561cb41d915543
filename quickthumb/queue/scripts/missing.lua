-- Looks through an index of items that have not ended, `most` entries after the entry `last` ('' to begin), for items
-- that are missing in arq's queue.
-- Returns the last entry that it looked at, '' at the end of the index; then the entries of the missing items.
-- KEYS: index, queue
-- ARGV: call_prefix, last, most
local entries = redis.call('ZRANGE', index, last == '' and '-' or '(' .. last, '+', 'BYLEX', 'LIMIT', 0, most)
if #entries == 0 then return {''} end
local ids, calls = {}, {}
for place, entry in ipairs(entries) do
  ids[place] = string.sub(entry, string.find(entry, ':', 1, true) + 1)
  calls[place] = call_prefix .. ids[place]
end
local due, have_calls = redis.call('ZMSCORE', queue, unpack(ids)), redis.call('EXISTS', unpack(calls)) == #calls
local answer = {#entries < tonumber(most) and '' or entries[#entries]}
for place, entry in ipairs(entries) do
  if not due[place] or not (have_calls or redis.call('EXISTS', calls[place]) == 1) then answer[#answer + 1] = entry end
end
return answer
