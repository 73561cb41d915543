-- Claims up to `most` of the items that are due and that no worker is running. Each gets the next of the tokens. What
-- such a token holds already, because Redis' answer to the last call was lost, is claimed again; with `most` as 0,
-- nothing else is.
-- If there are more than that, they stand in lines, one for each class (see `lines`). The line whose next item has been
-- due for longest is served first, but a high item counts as if it had been due `high_ms` earlier, and a low one
-- `low_ms` later. So the depth of the queue does not matter.
-- Ids of ended and unknown items leave the queue. Lines of a kind of which the worker takes no more are passed over. Of
-- the `large` items, only one is claimed, and none at all unless `takes_large` is 1.
-- `kinds` has, for each kind, what the names of its records begin with, and its index; `terms` has, for each kind, its
-- name, the prefix of its totals and how many the worker takes of it, and then all tokens.
-- When nothing more is due, or nothing was claimed, the wake-up tokens are stale and are deleted; an item that is queued
-- later leaves a new one.
-- Returns {claims, the milliseconds until the next id is due, or -1 if none is queued, or 0 if more may be due now, the
-- large one of the claimed ids, or ''}. Each claim is {id, its kind's place in the list, token, number of the attempt,
-- strike, fields of the record}.
-- USES: now, move, dequeue, observe, broken_off, claim, lines
-- KEYS: queue, wake, large, totals, events
-- KEYS*: kinds
-- ARGV: call_prefix, lease_prefix, tries_prefix, lease_ms, most, scan_most, sort_most, takes_large, high_ms, low_ms
-- ARGV*: terms
local FIRST_MOST = 32
local now, wanted, claims, large_one = now_ms(), tonumber(most), {}, ''
local kind_count = #kinds / 2
local next_token, ours, room = 3 * kind_count + 1, {}, {}
for place = next_token, #terms do ours[terms[place]] = true end
for kind = 1, kind_count do room[kind] = tonumber(terms[3 * kind]) end
local is_left = false  -- whether somebody stands in a line
local sooner_ms = {[PRIORITIES[1]] = tonumber(high_ms), [NORMAL] = 0, [PRIORITIES[3]] = -low_ms}

local function forget(id)
  dequeue(queue, call_prefix .. id, tries_prefix .. id, large, id)
  redis.call('DEL', lease_prefix .. id)
end

-- The place of the item's kind and the fields of its record; the place is nil if there is no record.
local function found(id)
  for kind = 1, kind_count do
    local fields = redis.call('HGETALL', kinds[2 * kind - 1] .. id)
    if #fields > 0 then return kind, fields end
  end
  return nil, {}
end

-- Where an id stands in line, as {class, group, due_ms, id}; nil if it is unknown, and out of the queue now.
local function place_of(id, due_ms, is_large)
  for kind = 1, kind_count do
    local created_ms, priority, group =
      unpack(redis.call('HMGET', kinds[2 * kind - 1] .. id, 'created_ms', 'priority', 'group'))
    if created_ms then
      return {class_of(terms[3 * kind - 2], priority, is_large), group or '', due_ms, id}
    end
  end
  forget(id)
  return nil
end

-- Claims one id, or takes it out of the queue. An item that the worker cannot take now stands in its line. Returns
-- whether it was claimed.
local function try(id, due_ms, held, is_large)
  local kind, fields = found(id)
  if kind and not held and (room[kind] <= 0 or (is_large and (takes_large ~= '1' or large_one ~= ''))) then
    line_up(queue, {place_of(id, due_ms, is_large)})
    is_left = true
    return false
  end
  local token, number, strike, record = held or terms[next_token], nil, nil, nil
  if kind then
    number, strike, record = claim(kinds[2 * kind - 1] .. id, fields, lease_prefix .. id, kinds[2 * kind], events,
      totals, terms[3 * kind - 1], id, token, lease_ms, due_ms)
  end
  if not number then
    forget(id)
    return false
  end
  claims[#claims + 1] = {id, kind, token, number, strike, record}
  room[kind], ours[token] = room[kind] - 1, nil
  while terms[next_token] and not ours[terms[next_token]] do next_token = next_token + 1 end
  if is_large then large_one = id end
  return true
end

-- What is due and stands in no line: claims again what is ours, passes over what others run, and lists what is new, each
-- as {id, due_ms, is_large}. `ids` is the first part of it, of FIRST_MOST ids. Returns the list, and whether all was seen.
local function unlined(ids)
  local has_large = #ids > 0 and redis.call('EXISTS', large) == 1
  local new, offset, batch = {}, 0, FIRST_MOST
  while true do
    local marks = {}
    if has_large and #ids > 0 then
      local only = {}
      for place = 1, #ids, 2 do only[#only + 1] = ids[place] end
      marks = redis.call('SMISMEMBER', large, unpack(only))
    end
    for place = 1, #ids, 2 do
      local id, due_ms, is_large = ids[place], tonumber(ids[place + 1]), marks[(place + 1) / 2] == 1
      local held = redis.call('GET', lease_prefix .. id)
      if held and ours[held] then
        if not try(id, due_ms, held, is_large) then offset = offset - 1 end
      elseif not held and wanted > 0 then
        new[#new + 1] = {id, due_ms, is_large}
        if #new >= tonumber(sort_most) then return new, false end
      end
    end
    if #ids < 2 * batch then return new, true end
    offset, batch = offset + batch, math.min(1024, 4 * batch)
    if offset >= tonumber(scan_most) then return new, false end
    ids = redis.call('ZRANGEBYSCORE', queue, 0, now, 'WITHSCORES', 'LIMIT', offset, batch)
  end
end

-- Serves the lines until the worker has what it wants.
local function serve()
  local heads = {}
  local function look(kind, priority, is_large)
    local class = class_of(terms[3 * kind - 2], priority, is_large)
    if heads[class] == nil then heads[class] = next_in(queue, class) or false end
    local head = heads[class]
    if not head then return nil end
    is_left = true
    if room[kind] <= 0 or (is_large and (takes_large ~= '1' or large_one ~= '')) then return nil end
    head.is_large, head.rank = is_large, head.due_ms - sooner_ms[priority]
    return head
  end
  while true do
    local best = nil
    is_left = false
    for kind = 1, kind_count do
      for _, priority in ipairs(PRIORITIES) do
        for _, is_large in ipairs({false, true}) do
          local head = look(kind, priority, is_large)
          if head and (not best or head.rank < best.rank) then best = head end
        end
      end
    end
    if not best or #claims >= wanted then return end
    take(queue, best)
    heads[best.class] = nil
    if not redis.call('GET', lease_prefix .. best.id) then try(best.id, best.due_ms, nil, best.is_large) end
  end
end

local first = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, FIRST_MOST)
local has_lines = first[2] and tonumber(first[2]) < 0
if has_lines then first = redis.call('ZRANGEBYSCORE', queue, 0, now, 'WITHSCORES', 'LIMIT', 0, FIRST_MOST) end
local new, is_seen = unlined(first)
if wanted > 0 and (has_lines or #new > wanted - #claims) then
  local places = {}
  for _, item in ipairs(new) do places[#places + 1] = place_of(unpack(item)) end
  line_up(queue, places)
  serve()
else
  for _, item in ipairs(new) do try(item[1], item[2], nil, item[3]) end
end
if has_lines and wanted > 0 and #claims == 0 and not is_left then
  -- The lines are lost, and are made again.
  local parked = redis.call('ZRANGEBYSCORE', queue, '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, sort_most)
  for place = 1, #parked, 2 do redis.call('ZADD', queue, parked[place + 1] + PARKED_MS, parked[place]) end
  return {claims, 0, large_one}
end
local is_all = is_seen and not is_left and #claims < wanted
if wanted == 0 or (#claims > 0 and not is_all) then return {claims, 0, large_one} end
redis.call('DEL', wake)
local following = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {claims, following[2] and math.ceil(following[2] - now) or -1, large_one}
