-- Claims up to `most` of the items that are due and that no worker is running, earliest first. Each gets the next of
-- the tokens. What such a token holds already, because Redis' answer to the last call was lost, is claimed again; with
-- `most` as 0, nothing else is.
-- Ids of ended and unknown items leave the queue. Items of a kind of which the worker takes no more are due again after
-- `busy_ms`. Of the `large` ones, only the earliest is claimed, and none at all unless `takes_large` is 1.
-- `kinds` has, for each kind, what the names of its records begin with, and its index; `terms` has, for each kind, the
-- prefix of its totals and how many the worker takes of it, and then all tokens.
-- When nothing more is due, or nothing was claimed, the wake-up tokens are stale and are deleted; an item that is queued
-- later leaves a new one.
-- Returns {claims, the milliseconds until the next id is due, or -1 if none is queued, or 0 if more may be due now, the
-- large one of the claimed ids, or ''}. Each claim is {id, its kind's place in the list, token, number of the attempt,
-- strike, fields of the record}.
-- USES: now, move, dequeue, observe, claim
-- KEYS: queue, wake, large, totals, events
-- KEYS*: kinds
-- ARGV: call_prefix, lease_prefix, tries_prefix, lease_ms, most, scan_most, busy_ms, takes_large
-- ARGV*: terms
local now, wanted, claims, large_one = now_ms(), tonumber(most), {}, ''
local next_token, ours, room = #kinds + 1, {}, {}
for place = next_token, #terms do ours[terms[place]] = true end
for kind = 1, #kinds / 2 do room[kind] = tonumber(terms[2 * kind]) end

-- The place of the item's kind and the fields of its record; the place is nil if there is no record.
local function found(id)
  for kind = 1, #kinds / 2 do
    local fields = redis.call('HGETALL', kinds[2 * kind - 1] .. id)
    if #fields > 0 then return kind, fields end
  end
  return nil, {}
end

-- Claims one id, or takes it out of the queue, or postpones it. Returns whether it is still due at its place.
local function try(id, due_ms, held, is_large)
  local kind, fields = found(id)
  if kind and room[kind] <= 0 and not held then
    redis.call('ZADD', queue, now + busy_ms, id)
    return false
  end
  local token, number, strike, record = held or terms[next_token], nil, nil, nil
  local lease = lease_prefix .. id
  if kind then
    number, strike, record = claim(kinds[2 * kind - 1] .. id, fields, lease, kinds[2 * kind], events, totals,
      terms[2 * kind - 1], id, token, lease_ms, due_ms)
  end
  if not number then
    dequeue(queue, call_prefix .. id, tries_prefix .. id, large, id)
    redis.call('DEL', lease)
    return false
  end
  claims[#claims + 1] = {id, kind, token, number, strike, record}
  room[kind], ours[token] = room[kind] - 1, nil
  while terms[next_token] and not ours[terms[next_token]] do next_token = next_token + 1 end
  if is_large then large_one = id end
  return true
end

local has_large = redis.call('EXISTS', large) == 1
local offset, batch = 0, has_large and 1024 or 32  -- many may have to be left out
local has_left, is_seen = false, false  -- whether something due is left to others; whether all that is due was seen
while offset < tonumber(scan_most) and (#claims < wanted or wanted == 0) do
  local ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, batch)
  local marks = {}
  if has_large and #ids > 0 then
    local only = {}
    for place = 1, #ids, 2 do only[#only + 1] = ids[place] end
    marks = redis.call('SMISMEMBER', large, unpack(only))
  end
  for place = 1, #ids, 2 do
    if wanted > 0 and #claims >= wanted then break end
    local id, is_large, stays = ids[place], marks[(place + 1) / 2] == 1, true
    local held = redis.call('GET', lease_prefix .. id)
    local may_go = wanted > 0 and (not is_large or (takes_large == '1' and large_one == ''))
    if held and ours[held] then
      stays = try(id, ids[place + 1], held, is_large)
    elseif not held and may_go then
      stays = try(id, ids[place + 1], nil, is_large)
    elseif not held then
      has_left = true
    end
    if stays then offset = offset + 1 end
  end
  if #ids < 2 * batch then
    is_seen = #claims < wanted
    break
  end
  batch = math.min(1024, 4 * batch)
end
local is_all = is_seen and not has_left
if wanted == 0 or (#claims > 0 and not is_all) then return {claims, 0, large_one} end
redis.call('DEL', wake)
local following = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {claims, following[2] and math.ceil(following[2] - now) or -1, large_one}
