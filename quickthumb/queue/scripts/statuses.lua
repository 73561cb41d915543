-- Reads the statuses of many items. `ids` is a JSON list.
-- Returns the status of each; nothing for an item that Redis does not know.
-- ARGV: record_prefix, ids
local found = {}
for number, id in ipairs(cjson.decode(ids)) do
  found[number] = redis.call('HGET', record_prefix .. id, 'status')
end
return found
