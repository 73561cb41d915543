-- Adds an item to the index of its kind, and drops index entries whose items must have expired. All entries,
-- `{created_ms}:{id}`, have the score 0, so that they sort by age and a page can begin after any of them.
local function list(index, id, created_ms, index_seconds)
  local oldest_ms = string.format('%.0f', now_ms() - index_seconds * 1000)
  redis.call('ZADD', index, 0, created_ms .. ':' .. id)
  redis.call('EXPIRE', index, index_seconds)
  redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest_ms)
  for _, status in ipairs(STATUSES) do
    redis.call('ZREMRANGEBYLEX', index_of(index, status), '-', '(' .. oldest_ms)
  end
end
