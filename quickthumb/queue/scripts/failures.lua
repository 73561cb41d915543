-- Counts items that FAILED by the code of their error: the newest `most` after the entry `last` ('': from the newest one
-- on), without those that have expired.
-- Returns the entry after which to go on ('' at the end), how many items it counted, how many the index has, and for each
-- code: the code, its count, and of its newest item the id and the tenant ('' for the default one, whose items go first).
-- KEYS: index
-- ARGV: record_prefix, last, most
local highest, answer, counted, places = last == '' and '+' or '(' .. last, {}, 0, {}
local entries = redis.call('ZREVRANGEBYLEX', index, highest, '-', 'LIMIT', 0, most)
for _, entry in ipairs(entries) do
  local id = string.match(entry, ':(.+)$')
  local failure, tenant = unpack(redis.call('HMGET', record_prefix .. id, 'error', 'tenant'))
  if failure and failure ~= '' then
    local code = cjson.decode(failure).code
    local found = places[code]
    if not found then
      found = {code, 0, id, tenant or ''}
      places[code], answer[#answer + 1] = found, found
    elseif found[4] ~= '' and not tenant then
      found[3], found[4] = id, ''
    end
    found[2], counted = found[2] + 1, counted + 1
  end
end
local reached = #entries == tonumber(most) and entries[#entries] or ''
return {reached, counted, redis.call('ZCARD', index), answer}
