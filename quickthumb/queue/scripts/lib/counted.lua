-- What counts against quotas on what is there at the same time. Each place is named after its quota and subject.
-- A place for items that have not ended is a sorted set of their ids; one for bytes is a hash of entries with their
-- bytes and their `total`, beside a sorted set of the same entries. The scores of both sets are the times at which
-- Redis forgets the item, or the storage its file, so nothing has to be taken back when that happens.
local function is_for_bytes(place)
  return string.match(place, ':stored_bytes:%a+:[^:]+$') ~= nil
end

-- Makes a key live for at least so many seconds.
local function live(key, seconds)
  if redis.call('TTL', key) < tonumber(seconds) then redis.call('EXPIRE', key, math.ceil(seconds)) end
end

-- Notes that an entry has so many bytes for so many seconds from now; none of either takes the entry away. Doing so
-- again changes nothing.
local function keep(place, entry, bytes, seconds)
  local ends, before = place .. ':ends', tonumber(redis.call('HGET', place, entry) or 0)
  if bytes <= 0 or tonumber(seconds) <= 0 then bytes = 0 end
  if bytes == 0 and before == 0 then return end
  redis.call('HINCRBY', place, 'total', string.format('%.0f', bytes - before))
  if bytes == 0 then
    redis.call('HDEL', place, entry)
    redis.call('ZREM', ends, entry)
    return
  end
  redis.call('HSET', place, entry, string.format('%.0f', bytes))
  redis.call('ZADD', ends, string.format('%.0f', now_ms() + seconds * 1000), entry)
  live(place, seconds)
  live(ends, seconds)
end

-- How much of its quota a place takes now.
local function used(place)
  local now = string.format('%.0f', now_ms())
  if not is_for_bytes(place) then
    redis.call('ZREMRANGEBYSCORE', place, '-inf', now)
    return redis.call('ZCARD', place)
  end
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', place .. ':ends', '-inf', now)) do keep(place, entry, 0, 0) end
  return tonumber(redis.call('HGET', place, 'total') or 0)
end

-- The bytes of an item's source and of its results, as its record says.
local function bytes_of(record)
  local source, results = unpack(redis.call('HMGET', record, 'source', 'results'))
  local source_bytes, result_bytes = source and cjson.decode(source).bytes or 0, 0
  for _, result in ipairs(results and cjson.decode(results) or {}) do result_bytes = result_bytes + result.bytes end
  return tonumber(source_bytes) or 0, result_bytes
end

-- Counts an item against the quotas of `counted_for`, the names of places, as its record and its new status say.
-- Redis keeps the record for so many seconds, the storage the source for `source_seconds`; 0 for an item that was
-- removed.
local function recount(quotas, counted_for, record, id, status, seconds, source_seconds)
  for name in string.gmatch(counted_for or '', '%S+') do
    local place = quotas .. ':' .. name
    if is_for_bytes(place) then
      local source_bytes, result_bytes = bytes_of(record)
      keep(place, id .. ':source', source_bytes, math.min(seconds, source_seconds))
      keep(place, id, result_bytes, seconds)
    elseif status == WAITING or status == IN_PROGRESS then
      redis.call('ZADD', place, string.format('%.0f', now_ms() + seconds * 1000), id)
      live(place, seconds)
    else
      redis.call('ZREM', place, id)
    end
  end
end
