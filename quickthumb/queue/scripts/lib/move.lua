-- The index of one status, derived from the index of the kind.
local function index_of(index, status)
  return index .. ':' .. status
end

-- Whether an item may change from one status to another. MOVES lists every allowed change.
local function allowed(old, new)
  return MOVES[old] ~= nil and MOVES[old][new] == true
end

-- Moves an item from the index of one status to that of another, and adds the change to the stream of events, which
-- `queue/events.py` reads. `old` is nil for a new item, `new` is nil for an item that was removed; `tenant` and `attempt`
-- (a number) may be unknown. An index that begins anew expires with the index of the kind; `list` keeps it alive from
-- then on.
local function move(index, events, id, created_ms, old, new, tenant, attempt)
  local entry = created_ms .. ':' .. id
  if old and old ~= new then redis.call('ZREM', index_of(index, old), entry) end
  if new and old ~= new then
    local place = index_of(index, new)
    redis.call('ZADD', place, 0, entry)
    if redis.call('ZCARD', place) == 1 then
      local seconds = redis.call('TTL', index)
      redis.call('EXPIRE', place, seconds > 0 and seconds or 86400)
    end
  end
  redis.call('XADD', events, 'MAXLEN', '~', MOST_EVENTS, '*', 'kind', string.match(index, '[^:]+$'), 'id', id,
    'status', new or '', 'tenant', tenant or '', 'attempt', attempt or '')
end
