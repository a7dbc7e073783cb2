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
--       6 state of the progress event   7 '1' when the queue's length can be read here   8 most messages for one stage
-- Returns 'gone' (no run, or an ended one), 'early' (looked after meanwhile), 'moved' (another stage now), 'waits'
-- (its message is behind others in the queue), 'resumed' (lease lost), 'sent' (message lost), 'exhausted'.
--
-- Age alone is no reason to send again: with 150 runs queued behind two slow children it sent 538 messages too many
-- (measured). A message is lost when one that was queued later has begun, or when its queue is empty.
local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
if not due then return 'gone' end
if tonumber(due) > NOW then return 'early' end
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'state', 'tok', 'tries', 'open', 'q', 'sent')
if run[1] ~= 'live' then
  redis.call('ZREM', KEYS[6], ARGV[1])
  return 'gone'
end
if run[4] ~= ARGV[2] then return 'moved' end
local function look_again(ms) redis.call('ZADD', KEYS[6], string.format('%.0f', NOW + ms * 1000), ARGV[1]) end

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
local overtaken = tonumber(redis.call('HGET', KEYS[9], ARGV[2]) or '0') > tonumber(run[9])
local empty = ARGV[7] == '1' and redis.call('LLEN', KEYS[7]) == 0
if not (overtaken or empty) then
  look_again(ARGV[4])
  return 'waits'
end
if sent >= tonumber(ARGV[8]) then return 'exhausted' end
redis.call('HSET', KEYS[5], 'sent', sent + 1, 'q', string.format('%.0f', NOW))
look_again(ARGV[4] * math.min(sent + 1, 8))
if ARGV[5] ~= '' then redis.call('LPUSH', KEYS[7], ARGV[5]) end
return 'sent'
