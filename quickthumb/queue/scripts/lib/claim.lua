-- Claims an item whose record has these `fields`: from WAITING, or from IN_PROGRESS when the lease of its worker has
-- lapsed, which the caller checks: then its history gets the attempt of that worker. The attempt counts as a strike until it is settled as blameless. The first attempt
-- also counts how long the item waited since `due_ms`.
-- Returns the number of the attempt, its strike and the record's fields; nil when the item has ended or is unknown.
local function claim(record, fields, lease, index, events, totals, totals_prefix, id, token, lease_ms, due_ms)
  local is = {}
  for place = 1, #fields, 2 do is[fields[place]] = fields[place + 1] end
  if is.token == token and is.status == IN_PROGRESS then
    -- The same claim again: only Redis' answer to it was lost.
    redis.call('SET', lease, token, 'PX', lease_ms)
    return tonumber(is.attempts), tonumber(is.strikes), fields
  end
  if not allowed(is.status, IN_PROGRESS) then return nil end
  local now, number, strike = now_ms(), (is.attempts or 0) + 1, (is.strikes or 0) + 1
  local changes = {
    'status', IN_PROGRESS, 'token', token, 'started_ms', string.format('%.0f', now),
    'attempts', string.format('%d', number), 'strikes', string.format('%d', strike),
  }
  if is.status == IN_PROGRESS and is.started_ms then
    changes[#changes + 1], changes[#changes + 2] = 'history', broken_off(is.history, is.attempts, is.started_ms)
  end
  redis.call('HSET', record, unpack(changes))
  redis.call('SET', lease, token, 'PX', lease_ms)
  move(index, events, id, is.created_ms, is.status, IN_PROGRESS, is.list, number)
  if number == 1 then observe(totals, totals_prefix .. 'wait', math.max(0, math.floor(now - due_ms))) end
  for place = 1, #changes do fields[#fields + 1] = changes[place] end
  return number, strike, fields
end
