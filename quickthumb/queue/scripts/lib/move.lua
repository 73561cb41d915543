-- The index of one status, derived from the index of the kind, or from that of a tenant.
local function index_of(index, status)
  return index .. ':' .. status
end

-- Every index of all statuses that lists an item: that of the kind, and that of the tenant in whose lists it is. Only
-- jobs have such a `tenant`, in the field `list` of their records, and only those of other tenants than the default one.
local function lists_of(index, tenant)
  return tenant and {index, index .. ':of:' .. tenant} or {index}
end

-- Adds numbers, by their names, to the totals of a tenant that has lists of its own.
local function count_for(tenant, totals, numbers)
  for name, number in pairs(numbers) do redis.call('HINCRBY', totals .. ':of:' .. tenant, name, number) end
end

-- Whether an item may change from one status to another. MOVES lists every allowed change.
local function allowed(old, new)
  return MOVES[old] ~= nil and MOVES[old][new] == true
end

-- Moves an item from the indexes of one status to those of another, and adds the change to the stream of events, which
-- `queue/events.py` reads. `old` is nil for a new item, `new` is nil for an item that was removed, `tenant` is that of
-- `lists_of`, `attempt` (a number) may be unknown. An index that begins anew expires with the index of all statuses;
-- `list` keeps it alive from then on.
local function move(index, events, id, created_ms, old, new, tenant, attempt)
  local entry = created_ms .. ':' .. id
  for _, all in ipairs(lists_of(index, tenant)) do
    if old and old ~= new then redis.call('ZREM', index_of(all, old), entry) end
    if new and old ~= new then
      local place = index_of(all, new)
      redis.call('ZADD', place, 0, entry)
      if redis.call('ZCARD', place) == 1 then
        local seconds = redis.call('TTL', all)
        redis.call('EXPIRE', place, seconds > 0 and seconds or 86400)
      end
    end
  end
  redis.call('XADD', events, 'MAXLEN', '~', MOST_EVENTS, '*', 'kind', string.match(index, '[^:]+$'), 'id', id,
    'status', new or '', 'tenant', tenant or '', 'attempt', attempt or '')
end
