-- The time of Redis, in whole milliseconds: the only clock that leases and due times are told by.
local function now_ms()
  local moment = redis.call('TIME')
  return moment[1] * 1000 + math.floor(moment[2] / 1000)
end
