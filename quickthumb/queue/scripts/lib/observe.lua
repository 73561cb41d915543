-- Adds an observation of `ms` milliseconds to a histogram in the totals: to its sum and to one of its buckets, which is
-- named after its upper bound. BOUNDS_MS lists all bounds.
local function observe(totals, name, ms)
  local bucket = 'more'
  for _, bound in ipairs(BOUNDS_MS) do
    if ms <= bound then
      bucket = bound
      break
    end
  end
  redis.call('HINCRBY', totals, name .. '_ms', ms)
  redis.call('HINCRBY', totals, name .. '_ms:' .. bucket, 1)
end
