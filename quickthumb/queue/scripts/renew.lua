-- Renews the leases of running attempts, each given by the key of its record, the key of its lease, and its token.
-- Returns the tokens whose lease is lost: their items were settled, cancelled, removed or taken over.
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
