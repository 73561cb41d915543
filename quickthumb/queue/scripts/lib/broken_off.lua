-- The field `history` of an item once an attempt is over that no worker settles: it became `status`, or its worker died
-- (nil). See `queue/past.py`. Nobody knows who made the attempt. A list that cannot be read begins anew.
local function broken_off(history, attempt, started_ms, busy_ms, status)
  local is_read, past = pcall(cjson.decode, history or '[]')
  if not is_read or type(past) ~= 'table' then past = {} end
  local null = cjson.null
  past[#past + 1] = {tonumber(attempt), null, tonumber(started_ms), busy_ms or null, status or null, null}
  while #past > MOST_PAST do table.remove(past, 1) end
  return cjson.encode(past)
end
