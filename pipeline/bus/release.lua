-- Gives a running stage back to its queue: a transient fault, or a lost worker's child.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run     hash    see begin.lua
-- KEYS[6]  due     zset    see begin.lua
-- KEYS[7]  queue   list    the stage's queue at the broker
-- KEYS[8]  answer  string  the answer so far
-- KEYS[9]  spans   hash    see append.lua
-- ARGV  1 message id   2 stage   3 'token' or 'holder'   4 its value   5 most tries   6 wait before the next try, ms
--       7 grace, ms   8 the broker's message, or '' when the broker gives the old one again   9 state of the progress event
--       10 why ordinary spans that are still open have failed
-- Returns {'ok', next try}, {'exhausted'} when no try is left, {'again'} when it was done before,
-- or {'unknown' | 'ended' | 'done' | 'fenced'}.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'state', 'tok', 'holder', 'tries', 'open',
  'released_tok')
if not run[1] then return {'unknown'} end
if run[1] ~= 'live' then return {'ended'} end
if run[4] ~= ARGV[2] then return {'done'} end
if ARGV[3] == 'token' and run[10] == ARGV[4] then return {'again'} end
local mine
if ARGV[3] == 'token' then mine = run[6] else mine = run[7] end
if run[5] ~= 'running' or mine ~= ARGV[4] then return {'fenced'} end
local tries = tonumber(run[8])
if tries >= tonumber(ARGV[5]) then return {'exhausted'} end

give_back(KEYS[5], KEYS[8], KEYS[9], ARGV[10], ARGV[1], run[2], run[3], ARGV[2], tries, split_lines(run[9]), ARGV[9])
redis.call('HSET', KEYS[5], 'state', 'queued', 'tok', '', 'holder', '', 'released_tok', run[6],
  'q', string.format('%.0f', NOW + ARGV[6] * 1000), 'sent', 1)
redis.call('ZADD', KEYS[6], string.format('%.0f', NOW + (ARGV[6] + ARGV[7]) * 1000), ARGV[1])
if ARGV[8] ~= '' then redis.call('LPUSH', KEYS[7], ARGV[8]) end
return {'ok', tries + 1}
