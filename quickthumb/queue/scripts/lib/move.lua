-- The index of one status, derived from the index of the kind.
local function index_of(index, status)
  return index .. ':' .. status
end

-- Whether an item may change from one status to another. MOVES lists every allowed change.
local function allowed(old, new)
  return MOVES[old] ~= nil and MOVES[old][new] == true
end

-- Moves an item from the index of one status to that of another, and publishes the change. `old` is nil for a new item,
-- `new` is nil for an item that was removed.
local function move(index, events, id, created_ms, old, new)
  local entry = created_ms .. ':' .. id
  if old then redis.call('ZREM', index_of(index, old), entry) end
  if new then
    local seconds = redis.call('TTL', index)
    redis.call('ZADD', index_of(index, new), 0, entry)
    redis.call('EXPIRE', index_of(index, new), seconds > 0 and seconds or 86400)
  end
  redis.call('PUBLISH', events, id .. ' ' .. (new or 'GONE'))
end
