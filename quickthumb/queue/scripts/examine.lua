-- Looks at the next `most` entries of an index, newest first, from `highest` down to `lowest` (in the notation of ranges
-- by text), for items whose fields may fit. `terms` has pairs of a field and a text that this field must contain; '' for
-- a field that is only wanted, which may be missing.
-- Returns the last entry that it looked at, '' at the end of the range; then, for each item that has all the texts, its
-- entry and the fields.
-- KEYS: index
-- ARGV: record_prefix, highest, lowest, most
-- ARGV*: terms
local entries = redis.call('ZRANGE', index, highest, lowest, 'BYLEX', 'REV', 'LIMIT', 0, most)
local names, answer = {}, {#entries < tonumber(most) and '' or entries[#entries]}
for place = 1, #terms, 2 do names[#names + 1] = terms[place] end

local function may_fit(fields)
  for place = 1, #names do
    local text = terms[2 * place]
    if text ~= '' and not (fields[place] and string.find(fields[place], text, 1, true)) then return false end
  end
  return true
end

for _, entry in ipairs(entries) do
  local id = string.sub(entry, string.find(entry, ':', 1, true) + 1)
  local fields = redis.call('HMGET', record_prefix .. id, unpack(names))
  if may_fit(fields) then
    answer[#answer + 1] = entry
    answer[#answer + 1] = fields
  end
end
return answer
