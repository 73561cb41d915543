-- The lines of what is due and waits for a worker. Each class of items (its kind, its priority, and whether it is large)
-- has a line, and in it each group of items gets its turn. Two sorted sets hold them, whatever their length:
-- `{queue}:line:{class}` has an entry `{group}|{due_ms}|{id}` for each item, all with the score 0, so that the oldest of a
-- group comes first, and `{queue}:turns:{class}` has the groups by turn.
-- An id in a line has its due time less PARKED_MS as its score in the queue: it is due there as before, and can be told
-- from what stands in no line, because it is new or running. An entry whose id has another score counts for nothing: the
-- item was cancelled, or claimed by a worker of an older release.
-- How many such entries to drop at once at most, for each line.
local STALE_MOST = 1000

local function class_of(kind, priority, is_large)
  return kind .. ':' .. (priority or NORMAL) .. (is_large and ':large' or '')
end

local function line_of(queue, class)
  return queue .. ':line:' .. class
end

local function turns_of(queue, class)
  return queue .. ':turns:' .. class
end

local function entry_of(group, due_ms, id)
  return string.format('%s|%014.0f|%s', group, due_ms, id)
end

-- Gives a group the turn after all others.
local function wait_for_turn(turns, group)
  local last = redis.call('ZRANGE', turns, -1, -1, 'WITHSCORES')
  redis.call('ZADD', turns, (last[2] or 0) + 1, group)
end

-- Puts due ids into the lines of their classes, each given as {class, group, due_ms, id}. One command for each class:
-- there may be a thousand ids.
local function line_up(queue, items)
  local parked, entries, is_known = {}, {}, {}
  for _, item in ipairs(items) do
    local class, group, due_ms, id = unpack(item)
    parked[#parked + 1], parked[#parked + 2] = due_ms - PARKED_MS, id
    local own = entries[class] or {}
    own[#own + 1], own[#own + 2], entries[class] = 0, entry_of(group, due_ms, id), own
    local turns = turns_of(queue, class)
    if not is_known[turns .. group] and not redis.call('ZSCORE', turns, group) then wait_for_turn(turns, group) end
    is_known[turns .. group] = true
  end
  for class, own in pairs(entries) do redis.call('ZADD', line_of(queue, class), unpack(own)) end
  if #parked > 0 then redis.call('ZADD', queue, unpack(parked)) end
end

-- The next of a line, as {class, group, entry, id, due_ms, has_more}, where `has_more` says whether its group has more
-- entries; nil if nobody stands in the line.
local function next_in(queue, class)
  local line, turns = line_of(queue, class), turns_of(queue, class)
  for _ = 1, STALE_MOST do
    local group = redis.call('ZRANGE', turns, 0, 0)[1]
    if not group then return nil end
    local own = group .. '|'
    local entries = redis.call('ZRANGE', line, '[' .. own, '+', 'BYLEX', 'LIMIT', 0, 2)
    for place, entry in ipairs(entries) do
      if string.sub(entry, 1, #own) ~= own then entries[place] = nil end
    end
    if not entries[1] then
      redis.call('ZREM', turns, group)
    else
      local due_ms, id = string.match(entries[1], '|(%d+)|([^|]*)$')
      local score = redis.call('ZSCORE', queue, id)
      if score and tonumber(score) == due_ms - PARKED_MS then
        return {
          class = class, group = group, entry = entries[1], id = id, due_ms = tonumber(due_ms),
          has_more = entries[2] ~= nil,
        }
      end
      redis.call('ZREM', line, entries[1])
    end
  end
  return nil
end

-- Takes the next out of its line. It stays in the queue, and its group waits for its next turn.
local function take(queue, head)
  local turns = turns_of(queue, head.class)
  redis.call('ZREM', line_of(queue, head.class), head.entry)
  redis.call('ZADD', queue, head.due_ms, head.id)
  if head.has_more then wait_for_turn(turns, head.group) else redis.call('ZREM', turns, head.group) end
end
