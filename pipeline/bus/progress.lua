-- A progress event on an open span of a running stage.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run  hash  see begin.lua
-- ARGV  1 token   2 span's name   3 state
-- Returns {1, id}, or {0} when the caller no longer holds the stage or the span is not open, {0, 'full'} when the log is.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'tok', 'tries', 'open')
if run[1] ~= 'live' or run[4] ~= ARGV[1] then return {0} end
for _, name in ipairs(split_lines(run[6])) do
  if name == ARGV[2] then
    if dropped_when_full() then return {0, 'full'} end
    local span = read_span(KEYS[5], name)
    local id = emit({sid = run[2], uid = run[3], audience = 'user', route = span.route, status = 'progress',
      identity = span.identity, state = ARGV[3], attempt = run[5]})
    return {1, string.format('%.0f', id)}
  end
end
return {0}
