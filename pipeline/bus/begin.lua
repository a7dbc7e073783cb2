-- Takes a queued stage: the fence gets the caller's token, the stage's spans are opened.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run  hash  st: live, completed, failed, cancelled; sid, uid: session and user; cur: current stage;
--                     state: queued, running, ended; tok: the holder's token; tries: of the current stage;
--                     holder: node/pid; q: queued since; open, done: names of spans, one a line;
--                     span:<name>: see prelude.lua; out:<stage>: what the stage gave; ended_tok: the last token that
--                     ended a stage; sent: messages for the current stage;
--                     again: when the last of them was sent again; missed: q or again when it looked lost;
--                     headers: its messages' context; error_route, error_identity: the run's error event
-- KEYS[6]  due  zset  run -> when the watchdog must look, microseconds
-- KEYS[7]  begun  hash  stage -> when the newest message that has begun was queued
-- ARGV  1 message id   2 stage   3 token   4 holder   5 lease, ms   6 how many fields to return   7.. their names
--       then for each span: name, route, identity, failed text as JSON, state
-- Returns {'ok', tries, waited ms, now, {start ids}, {fields}} or {'unknown' | 'ended' | 'done' | 'held'}.
-- Asking again with the same token gives the same answer.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'cur', 'state', 'tok', 'tries', 'q', 'open', 'done')
if not run[1] then return {'unknown'} end
if run[1] ~= 'live' then return {'ended'} end
if run[4] ~= ARGV[2] then return {'done'} end
local again = run[5] == 'running'
if again and run[6] ~= ARGV[3] then return {'held'} end

local tries = tonumber(run[7]) + (again and 0 or 1)
local waited = math.max(0, (NOW - tonumber(run[8])) / 1000)
if not again then
  redis.call('HSET', KEYS[5], 'state', 'running', 'tok', ARGV[3], 'tries', tries, 'holder', ARGV[4])
  redis.call('ZADD', KEYS[6], string.format('%.0f', NOW + ARGV[5] * 1000), ARGV[1])
  local newest = redis.call('HGET', KEYS[7], ARGV[2])
  -- A try that waits is queued for later; begun early, it has overtaken nobody.
  local queued = math.min(tonumber(run[8]), NOW)
  if not newest or tonumber(newest) < queued then
    redis.call('HSET', KEYS[7], ARGV[2], string.format('%.0f', queued))
  end
end

local wanted = {}
for i = 1, tonumber(ARGV[6]) do wanted[i] = ARGV[6 + i] end
local known = {}
for _, name in ipairs(split_lines(run[9])) do known[name] = true end
for _, name in ipairs(split_lines(run[10])) do known[name] = true end

local open = run[9]
local starts = {}
for i = 7 + #wanted, #ARGV, 5 do
  local name = ARGV[i]
  if known[name] then
    local span = read_span(KEYS[5], name)
    starts[#starts + 1] = string.format('%.0f', span.at)
  else
    local id = string.format('%.0f', emit({sid = run[2], uid = run[3], audience = 'user', route = ARGV[i + 1],
      status = 'started', identity = ARGV[i + 2], state = ARGV[i + 4], attempt = tries, waited_ms = waited}))
    redis.call('HSET', KEYS[5], 'span:' .. name,
      id .. '\n' .. ARGV[2] .. '\n' .. ARGV[i + 1] .. '\n' .. ARGV[i + 3] .. '\n' .. ARGV[i + 2])
    open = open == '' and name or open .. '\n' .. name
    starts[#starts + 1] = id
  end
end
if open ~= run[9] then redis.call('HSET', KEYS[5], 'open', open) end
local fields = {}
if #wanted > 0 then fields = redis.call('HMGET', KEYS[5], unpack(wanted)) end
return {'ok', tries, string.format('%.0f', waited), string.format('%.0f', NOW), starts, fields}
