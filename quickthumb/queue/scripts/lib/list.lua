-- Adds an item to the index of its kind. All entries, `{created_ms}:{id}`, have the score 0, so that they sort by age
-- and a page can begin after any of them.
-- About once a minute it also makes the kind's indexes live on, and drops entries whose items must have expired.
local function list(index, id, created_ms, index_seconds)
  redis.call('ZADD', index, 0, created_ms .. ':' .. id)
  if redis.call('TTL', index) >= tonumber(index_seconds) then return end
  local oldest_ms = string.format('%.0f', now_ms() - index_seconds * 1000)
  local names = {index}
  for _, status in ipairs(STATUSES) do names[#names + 1] = index_of(index, status) end
  for _, name in ipairs(names) do
    redis.call('EXPIRE', name, index_seconds + 60)
    redis.call('ZREMRANGEBYLEX', name, '-', '(' .. oldest_ms)
  end
end
