-- Renews the leases of running attempts, each given by its record, its lease and its token.
-- Returns the tokens of those that are lost: their items were cancelled, removed or taken over.
-- KEYS*: places
-- ARGV: lease_ms
-- ARGV*: tokens
local lost = {}
for number, token in ipairs(tokens) do
  local record, lease = places[2 * number - 1], places[2 * number]
  if redis.call('HGET', record, 'token') == token then
    redis.call('SET', lease, token, 'PX', lease_ms)
  else
    lost[#lost + 1] = token
  end
end
return lost
