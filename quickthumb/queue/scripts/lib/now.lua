-- Redis' time in whole milliseconds: the only clock for leases and due times.
local function now_ms()
  local moment = redis.call('TIME')
  return moment[1] * 1000 + math.floor(moment[2] / 1000)
end
