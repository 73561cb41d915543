"""The changes that must be atomic, as Lua: Redis runs a script whole, or not at all.

Each begins from the status in the job's hash and refuses a move that `model.MOVES` does not list; the allowed
origins are handed in, so the table stands once. A job's place in the indexes is `{created_ms}:{id}`, all with the
score 0, so that they sort by age and a page can begin behind any entry.
"""

# Shared by the scripts below: puts a job's index entry under another status, and tells who listens.
_MOVE = """
local function move(id, created, old, new)
  local entry = created .. ':' .. id
  if old then redis.call('ZREM', 'quickthumb:jobs:' .. old, entry) end
  if new then
    redis.call('ZADD', 'quickthumb:jobs:' .. new, 0, entry)
    local seconds = redis.call('TTL', 'quickthumb:jobs')
    redis.call('EXPIRE', 'quickthumb:jobs:' .. new, seconds > 0 and seconds or 86400)
  end
  redis.call('PUBLISH', 'quickthumb:events', id .. ' ' .. (new or 'GONE'))
end
local function allowed(status, origins)
  for origin in string.gmatch(origins, '[^,]+') do
    if origin == status then return true end
  end
  return false
end
"""

# Puts a job into the queue, and wakes a worker. KEYS from 2: call, queue, wake
_QUEUE = """
local function queue(id, due_ms, call, keep_seconds, wake_seconds)
  redis.call('SET', KEYS[2], call, 'EX', keep_seconds)
  redis.call('ZADD', KEYS[3], due_ms, id)
  redis.call('RPUSH', KEYS[4], 1)
  redis.call('EXPIRE', KEYS[4], wake_seconds)
end
"""

# Lists a job among all jobs, and forgets those that are too old. KEYS[5]: all jobs
_LIST = """
local function list(id, created, index_seconds, trim_before_ms)
  redis.call('ZADD', KEYS[5], 0, created .. ':' .. id)
  redis.call('EXPIRE', KEYS[5], index_seconds)
  for _, suffix in ipairs({'', ':WAITING', ':IN_PROGRESS', ':DONE', ':FAILED', ':CANCELLED'}) do
    redis.call('ZREMRANGEBYLEX', KEYS[5] .. suffix, '-', '(' .. trim_before_ms)
  end
end
"""

# Keeps a new job and queues it. Safe to send again with the same id: the second time does nothing. With a sixth key,
# what an Idempotency-Key was used for is kept along with it.
# KEYS: job, call, queue, wake, all jobs [, idempotency]
# ARGV: id, created_ms, call, keep_seconds, index_seconds, trim_before_ms, wake_seconds, use, use_seconds,
#       then the hash's fields
# -> 1 when added, 0 when it was there already
ADD = (
    _MOVE
    + _QUEUE
    + _LIST
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local id, created = ARGV[1], ARGV[2]
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
redis.call('EXPIRE', KEYS[1], ARGV[4])
queue(id, created, ARGV[3], ARGV[4], ARGV[7])
list(id, created, ARGV[5], ARGV[6])
if KEYS[6] then redis.call('SET', KEYS[6], ARGV[8], 'EX', ARGV[9]) end
move(id, created, nil, 'WAITING')
return 1
"""
)

# Keeps a job that has ended, as its outcome on disk tells, when Redis does not know it.
# KEYS: job, -, -, -, all jobs
# ARGV: id, created_ms, status, keep_seconds, index_seconds, trim_before_ms, then the hash's fields
# -> 1 when it was unknown, else 0
RESTORE = (
    _MOVE
    + _LIST
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 7))
redis.call('EXPIRE', KEYS[1], ARGV[4])
list(ARGV[1], ARGV[2], ARGV[5], ARGV[6])
move(ARGV[1], ARGV[2], nil, ARGV[3])
return 1
"""
)

# Queues a job that has not ended but is not in the queue: arq drops what it cannot call, and tells nobody.
# KEYS: job, call, queue, wake   ARGV: id, now_ms, call, keep_seconds, wake_seconds   -> 1 when it was missing, else 0
REQUEUE = (
    _QUEUE
    + """
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'WAITING' and status ~= 'IN_PROGRESS' then return 0 end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
queue(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
"""
)

# Lets a job that has FAILED wait for another attempt, with a clean slate; but one that had come into quarantine goes
# there at once, or whoever asks for it again and again would kill a worker each time.
# KEYS: job, call, queue, wake, -, totals
# ARGV: id, origins, now_ms, call, keep_seconds, wake_seconds   -> 1 when it waits, 0 when its status is another
REOPEN = (
    _MOVE
    + _QUEUE
    + """
local status, created, strikes = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_ms', 'strikes'))
if not status or not allowed(status, ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'status', 'WAITING', 'strikes', tonumber(strikes or 0) > 1 and 1 or 0)
redis.call('HDEL', KEYS[1], 'error', 'results', 'finished_ms')
redis.call('EXPIRE', KEYS[1], ARGV[5])
queue(ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
move(ARGV[1], created, status, 'WAITING')
return 1
"""
)

# Cancels a job that has not ended: whoever runs it loses its attempt.
# KEYS: job, call, queue, tries   ARGV: id, origins, finished_ms, keep_seconds   -> 1 when cancelled, else 0
CANCEL = (
    _MOVE
    + """
local status, created = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_ms'))
if not status or not allowed(status, ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'status', 'CANCELLED', 'finished_ms', ARGV[3])
redis.call('HDEL', KEYS[1], 'token')
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2], KEYS[4])
redis.call('ZREM', KEYS[3], ARGV[1])
move(ARGV[1], created, status, 'CANCELLED')
return 1
"""
)

# Begins an attempt: from WAITING, or from IN_PROGRESS when the worker that had it went silent. Each attempt is a
# strike against the job, until it is put back as blameless.
# KEYS: job, lease   ARGV: id, origins, token, now_ms, lease_ms
# -> the number of this attempt and of its strike; 0, 0 when the job has ended; -1, 0 when it is unknown
BEGIN = (
    _MOVE
    + """
local status, created = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_ms'))
if not status then return {-1, 0} end
if not allowed(status, ARGV[2]) then return {0, 0} end
redis.call('HSET', KEYS[1], 'status', 'IN_PROGRESS', 'token', ARGV[3], 'started_ms', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[5])
move(ARGV[1], created, status, 'IN_PROGRESS')
return {redis.call('HINCRBY', KEYS[1], 'attempts', 1), redis.call('HINCRBY', KEYS[1], 'strikes', 1)}
"""
)

# Ends an attempt: the job ends, or goes back to WAITING. Only whoever holds the token of the running attempt can.
# KEYS: job, totals
# ARGV: id, origins, target, token, keep_seconds, busy_ms, strikes_forgiven, then the hash's fields
# -> 1 when it was done, 0 when the attempt is no longer the running one
LEAVE = (
    _MOVE
    + """
local status, created, token = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_ms', 'token'))
if not status or token ~= ARGV[4] or not allowed(status, ARGV[2]) then return 0 end
local target = ARGV[3]
redis.call('HSET', KEYS[1], 'status', target, unpack(ARGV, 8))
redis.call('HDEL', KEYS[1], 'token')
redis.call('HINCRBY', KEYS[1], 'strikes', 0 - tonumber(ARGV[7]))
if target ~= 'WAITING' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
redis.call('HINCRBY', KEYS[2], 'attempts:' .. target, 1)
redis.call('HINCRBY', KEYS[2], 'busy_ms', ARGV[6])
move(ARGV[1], created, status, target)
return 1
"""
)

# Renews the lease of a running attempt.   KEYS: job, lease   ARGV: token, lease_ms
# -> 1 when renewed, 0 when the attempt is no longer the running one
RENEW = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""

# Forgets a job, whatever its status, and takes it from the queue.
# KEYS: job, call, queue, all jobs, tries   ARGV: id   -> 1 when there was one, else 0
REMOVE = (
    _MOVE
    + """
local status, created = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_ms'))
if not status then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[5])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], created .. ':' .. ARGV[1])
move(ARGV[1], created, status, nil)
return 1
"""
)

# Reads what is due in the queue, leaving out what some worker is running: arq would read the head of the queue,
# running jobs included, and starve what stands behind them. When nothing is due the wake-up tokens are stale and
# go; whatever is queued after this leaves a new one.
# KEYS: queue, wake   ARGV: lease_prefix, now_ms, most, scan_most
# -> {ids}, and the time in ms at which the next entry is due, or '' when none is
DUE = """
local ids, offset, batch = {}, 0, 128
local most, scan_most = tonumber(ARGV[3]), tonumber(ARGV[4])
while #ids < most and offset < scan_most do
  local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', offset, batch)
  for _, id in ipairs(entries) do
    if #ids < most and redis.call('EXISTS', ARGV[1] .. id) == 0 then ids[#ids + 1] = id end
  end
  if #entries < batch then break end
  offset = offset + batch
end
if #ids > 0 then return {ids, ''} end
redis.call('DEL', KEYS[2])
local following = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {ids, following[2] or ''}
"""

# Keeps an email and queues it, unless too many wait already.
# KEYS: mail, call, queue, wake, mails
# ARGV: id, created_ms, call, keep_seconds, wake_seconds, most, trim_before_ms, then the hash's fields
# -> 1 when it is queued, 0 when too many are
MAIL_ADD = (
    _QUEUE
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[7])
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[6]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 8))
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[5], ARGV[4])
queue(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
"""
)

# Begins an attempt to send an email that waits, or whose worker went silent.
# KEYS: mail, lease   ARGV: ended, token, lease_ms   -> the number of this attempt; 0 when it has ended or is unknown
MAIL_BEGIN = """
local status = redis.call('HGET', KEYS[1], 'status')
if not status or string.find(ARGV[1], status, 1, true) then return 0 end
redis.call('HSET', KEYS[1], 'status', 'IN_PROGRESS', 'token', ARGV[2])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""

# Ends an attempt: with the email's end, or back to WAITING. Only whoever holds the attempt's token can.
# KEYS: mail, mails   ARGV: id, token, target, error, keep_seconds   -> 1 when it was done, else 0
MAIL_LEAVE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'error', ARGV[4])
redis.call('HDEL', KEYS[1], 'token')
if ARGV[3] ~= 'WAITING' then
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
"""

# Takes a key for whoever comes first, and tells the others what it holds (SET with NX and GET needs Redis 7).
# KEYS: key   ARGV: value, seconds   -> what it held before, or nothing
TAKE = """
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
"""

# Holds on to a key that was taken, or gives it up.   KEYS: key   ARGV: value [, seconds]   -> 1 when it was held
HOLD = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('EXPIRE', KEYS[1], ARGV[2])"
GIVE_UP = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])"
