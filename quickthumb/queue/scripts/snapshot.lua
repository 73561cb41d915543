-- Reads the records of several items, and the id of the last event, all as of one moment.
-- Returns that id, '0-0' if there is no event; then for each item its fields, or an empty list if Redis does not know it.
-- KEYS: events
-- KEYS*: records
local last = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)
local answer = {last[1] and last[1][1] or '0-0'}
for place, record in ipairs(records) do answer[place + 1] = redis.call('HGETALL', record) end
return answer
