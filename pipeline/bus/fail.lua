-- Ends a run that cannot be completed: its open spans fail, children first, then its error event is written.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run  hash  see begin.lua
-- KEYS[6]  due  zset  see begin.lua
-- KEYS[7]  spans  hash  see append.lua
-- ARGV  1 message id   2 stage   3 'token', 'holder', 'queued' or 'any'   4 its value   5 'failed' or 'cancelled'
--       6 pieces of the failed spans' state behind their text: event_data, metadata, reason, error_type, task_id
--       7 state of the error event   8 the reason
-- Returns {'ok', name, start id, end id, took, identity, name, …}
-- or {'unknown' | 'ended' | 'done' | 'fenced'}; asking again gives {'ended'}.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'state', 'tok', 'holder', 'tries', 'open',
  'error_route', 'error_identity')
if not run[1] then return {'unknown'} end
if run[1] ~= 'live' then return {'ended'} end
if ARGV[3] ~= 'any' then
  if run[4] ~= ARGV[2] then return {'done'} end
  if ARGV[3] == 'queued' then
    if run[5] ~= 'queued' then return {'fenced'} end
  else
    local mine
    if ARGV[3] == 'token' then mine = run[6] else mine = run[7] end
    if run[5] ~= 'running' or mine ~= ARGV[4] then return {'fenced'} end
  end
end

end_ordinary(KEYS[7], run[2], run[3], ARGV[8])
local result = {'ok'}
local open = split_lines(run[9])
for i = #open, 1, -1 do
  local span = read_span(KEYS[5], open[i])
  local state = '"event_status":"failed","user_message":' .. span.failed .. ',' .. ARGV[6]
  local id, took = close_span(KEYS[5], span, run[2], run[3], run[8], 'failed', state, '')
  for _, value in ipairs({span.name, string.format('%.0f', span.at), string.format('%.0f', id),
    string.format('%.0f', took), span.identity}) do result[#result + 1] = value end
end
emit({sid = run[2], uid = run[3], audience = 'user', route = run[10], status = 'failed', identity = run[11],
  state = ARGV[7], attempt = tonumber(run[8]) > 0 and run[8] or nil})
redis.call('HSET', KEYS[5], 'st', ARGV[5], 'state', 'ended', 'tok', '', 'holder', '', 'open', '')
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('PEXPIRE', KEYS[5], RUN_TTL_MS)
return result
