-- Ends a stage: closes spans, keeps what it gave, and hands over to the next stage or ends the run, all at once.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run    hash   see begin.lua
-- KEYS[6]  due    zset   see begin.lua
-- KEYS[7]  queue  list   the next stage's queue at the broker
-- ARGV  1 message id   2 stage   3 token   4 next stage, or '' when the run is complete   5 grace, ms
--       6 what the stage gave, as JSON   7 the broker's message, or ''
--       then for each span to close: name, status, state, took microseconds or '' for Redis's clock
-- Returns {'ok', name, start id, end id, took, name, …} or {'unknown' | 'ended' | 'done' | 'fenced'};
-- asking again with the same token gives {'again'}.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'tok', 'tries', 'open', 'done', 'ended_tok')
if not run[1] then return {'unknown'} end
if run[9] == ARGV[3] then return {'again'} end
if run[1] ~= 'live' then return {'ended'} end
if run[4] ~= ARGV[2] then return {'done'} end
if run[5] ~= ARGV[3] then return {'fenced'} end

local open = split_lines(run[7])
local is_open, closed, done = {}, {}, run[8]
for _, name in ipairs(open) do is_open[name] = true end
local result = {'ok'}
for i = 8, #ARGV, 4 do
  local name = ARGV[i]
  if is_open[name] then
    local span = read_span(KEYS[5], name)
    local id, took = close_span(KEYS[5], span, run[2], run[3], run[6], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    closed[name] = true
    done = done == '' and name or done .. '\n' .. name
    for _, value in ipairs({name, string.format('%.0f', span.at), string.format('%.0f', id),
      string.format('%.0f', took)}) do result[#result + 1] = value end
  end
end

redis.call('HSET', KEYS[5], 'open', without(open, closed), 'done', done, 'out:' .. ARGV[2], ARGV[6],
  'tok', '', 'ended_tok', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[5], 'cur', ARGV[4], 'state', 'queued', 'tries', 0, 'q', string.format('%.0f', NOW),
    'holder', '', 'sent', 1)
  redis.call('ZADD', KEYS[6], string.format('%.0f', NOW + ARGV[5] * 1000), ARGV[1])
  if ARGV[7] ~= '' then redis.call('LPUSH', KEYS[7], ARGV[7]) end
else
  redis.call('HSET', KEYS[5], 'st', 'completed', 'state', 'ended')
  redis.call('ZREM', KEYS[6], ARGV[1])
  redis.call('PEXPIRE', KEYS[5], RUN_TTL_MS)
end
return result
