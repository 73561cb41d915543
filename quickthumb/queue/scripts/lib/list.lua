-- Makes the index of all statuses and those of each status live for at least so long.
local function prolong(index, seconds)
  if redis.call('TTL', index) >= tonumber(seconds) then return end
  redis.call('EXPIRE', index, seconds + 60)
  for _, status in ipairs(STATUSES) do redis.call('EXPIRE', index_of(index, status), seconds + 60) end
end

-- Notes the names of lists that have an item, so that `trim` finds them.
local function name_lists(lists, names)
  local words = {}
  for name in string.gmatch(names or '', '%S+') do words[#words + 1], words[#words + 2] = 0, name end
  if #words > 0 then redis.call('ZADD', lists, unpack(words)) end
end

-- Adds an item to the indexes of all statuses that list it (see `lists_of`). All entries, `{created_ms}:{id}`, have the
-- score 0, so that they sort by age and a page can begin after any of them.
-- About once a minute it also makes the indexes live on, for as long as this item can live; `trim` drops the entries
-- of those that have expired.
local function list(index, id, created_ms, index_seconds, names, lists)
  for _, all in ipairs(lists_of(index, names)) do
    redis.call('ZADD', all, 0, created_ms .. ':' .. id)
    prolong(all, index_seconds)
  end
  name_lists(lists, names)
end
