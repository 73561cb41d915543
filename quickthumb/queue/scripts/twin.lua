-- Names the job whose results others may use, unless another than `instead_of` is named already.
-- Returns nothing when the job is named now, else the id of the one that is.
-- KEYS: key
-- ARGV: job_id, instead_of, seconds
local named = redis.call('GET', key)
if named and named ~= job_id and named ~= instead_of then return named end
redis.call('SET', key, job_id, 'EX', seconds)
return false
