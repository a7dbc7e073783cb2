-- Looks after a run that is due: its stage's lease has run out, or its message was not begun in time.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run     hash    see begin.lua
-- KEYS[6]  due     zset    see begin.lua
-- KEYS[7]  queue   list    the stage's queue at the broker, when the broker is this Redis
-- KEYS[8]  answer  string  the answer so far
-- KEYS[9]  begun   hash    stage -> when the newest message that has begun was queued
-- KEYS[10] spans   hash    see append.lua
-- ARGV  1 message id   2 stage   3 most tries   4 grace, ms   5 the broker's message, or '' when kombu publishes it
--       6 state of the progress event   7 the queue: 'here' when its length can be read here, else what another broker
--       said of it: 'empty', 'filled' or 'unknown'   8 most messages for one stage
--       9 longest wait that is given, ms   10 lease, ms
-- Returns 'gone' (no run, or an ended one), 'early' (looked after meanwhile), 'moved' (another stage now), 'waits'
-- (its message is behind others in the queue), 'resumed' (lease lost), 'sent' (message lost), 'exhausted'.
--
-- Age alone is no reason to send again: with 150 runs queued behind two slow children it sent 538 messages too many
-- (measured). A message looks lost when one that was queued later has begun, or when its queue is empty. But a worker
-- may just have fetched it, and its neighbour may begin sooner: only what looks lost twice, a second apart, is sent.
-- Sending leaves `q` alone: were it new, the old message's beginning would make all others look overtaken.
local SECOND_LOOK_MS = 1000
local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
if not due then return 'gone' end
local ahead = tonumber(due) - NOW
if ahead > 0 and ahead <= ARGV[9] * 1000 then return 'early' end
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'state', 'tok', 'tries', 'open', 'q', 'sent',
  'missed', 'again')
if run[1] ~= 'live' then
  redis.call('ZREM', KEYS[6], ARGV[1])
  return 'gone'
end
if run[4] ~= ARGV[2] then return 'moved' end
local function look_again(ms) redis.call('ZADD', KEYS[6], string.format('%.0f', NOW + ms * 1000), ARGV[1]) end

-- When the clock was set back, what was written before lies ahead: no message has begun later than now, and nobody
-- waits so long. A living holder renews its lease in the time that is given now.
local begun = tonumber(redis.call('HGET', KEYS[9], ARGV[2]) or '0')
if begun > NOW then
  redis.call('HDEL', KEYS[9], ARGV[2])
  begun = 0
end
if ahead > 0 then
  if tonumber(run[9]) > NOW then redis.call('HSET', KEYS[5], 'q', string.format('%.0f', NOW)) end
  if tonumber(run[12] or '0') > NOW then redis.call('HDEL', KEYS[5], 'again') end
  look_again(run[5] == 'running' and ARGV[10] or ARGV[4])
  return 'early'
end

if run[5] == 'running' then
  local tries = tonumber(run[7])
  if tries >= tonumber(ARGV[3]) then return 'exhausted' end
  give_back(KEYS[5], KEYS[8], KEYS[10], 'worker_lost', ARGV[1], run[2], run[3], run[4], tries, split_lines(run[8]), ARGV[6])
  redis.call('HSET', KEYS[5], 'state', 'queued', 'tok', '', 'holder', '', 'released_tok', run[6],
    'q', string.format('%.0f', NOW), 'sent', 1)
  look_again(ARGV[4])
  if ARGV[5] ~= '' then redis.call('LPUSH', KEYS[7], ARGV[5]) end
  return 'resumed'
end

local sent = tonumber(run[10] or '1')
local since = math.max(tonumber(run[9]), tonumber(run[12] or '0'))
local empty = ARGV[7] == 'empty' or ARGV[7] == 'here' and redis.call('LLEN', KEYS[7]) == 0
local looks_lost = empty or begun > since
local mark = looks_lost and string.format('%.0f', since) or ''
local lost = looks_lost and run[11] == mark
if run[11] ~= mark then redis.call('HSET', KEYS[5], 'missed', mark) end
-- While the broker is away nothing can be sent, and must not be counted as if it had been.
if ARGV[7] == 'unknown' or not lost then
  look_again(looks_lost and SECOND_LOOK_MS or ARGV[4])
  return 'waits'
end
if sent >= tonumber(ARGV[8]) then return 'exhausted' end
redis.call('HSET', KEYS[5], 'sent', sent + 1, 'again', string.format('%.0f', NOW))
look_again(ARGV[4] * math.min(sent + 1, 8))
if ARGV[5] ~= '' then redis.call('LPUSH', KEYS[7], ARGV[5]) end
return 'sent'
