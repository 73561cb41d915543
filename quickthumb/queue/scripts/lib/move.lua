-- The index of one status, derived from the index of the kind, or from that of a list.
local function index_of(index, status)
  return index .. ':' .. status
end

-- Every index of all statuses that lists an item: that of the kind, and those of the lists with these names, which are
-- separated by spaces. Only jobs have such `names`, in the field `list` of their records: that of their tenant, unless it
-- is the default one, and one for each tag.
local function lists_of(index, names)
  local all = {index}
  for name in string.gmatch(names or '', '%S+') do all[#all + 1] = index .. ':of:' .. name end
  return all
end

-- The tenant among these names of lists, which is the first of them; nil if it is the default one. The names of the lists
-- of tags begin with '#'.
local function tenant_in(names)
  return names and string.match(names, '^[^# ]+')
end

-- Adds numbers, by their names, to the totals of the tenant among these names of lists, unless it is the default one.
local function count_for(names, totals, numbers)
  local tenant = tenant_in(names)
  if not tenant then return end
  for name, number in pairs(numbers) do redis.call('HINCRBY', totals .. ':of:' .. tenant, name, number) end
end

-- Whether an item may change from one status to another. MOVES lists every allowed change.
local function allowed(old, new)
  return MOVES[old] ~= nil and MOVES[old][new] == true
end

-- Adds an entry to the index of one status. An index that begins anew expires with the index of all statuses; `list`
-- keeps it alive from then on.
local function enter(all, status, entry)
  local place = index_of(all, status)
  redis.call('ZADD', place, 0, entry)
  if redis.call('ZCARD', place) == 1 then
    local seconds = redis.call('TTL', all)
    redis.call('EXPIRE', place, seconds > 0 and seconds or 86400)
  end
end

-- Moves an item from the indexes of one status to those of another, and adds the change to the stream of events, which
-- `queue/events.py` reads. `old` is nil for a new item, `new` is nil for an item that was removed, `names` are those of
-- `lists_of`, `attempt` (a number) may be unknown.
local function move(index, events, id, created_ms, old, new, names, attempt)
  local entry = created_ms .. ':' .. id
  for _, all in ipairs(lists_of(index, names)) do
    if old and old ~= new then redis.call('ZREM', index_of(all, old), entry) end
    if new and old ~= new then enter(all, new, entry) end
  end
  redis.call('XADD', events, 'MAXLEN', '~', MOST_EVENTS, '*', 'kind', string.match(index, '[^:]+$'), 'id', id,
    'status', new or '', 'tenant', tenant_in(names) or '', 'attempt', attempt or '')
end
