-- Makes a run and sends its first stage's message, once.
--
-- KEYS[1]  run    hash   see begin.lua
-- KEYS[2]  due    zset   run -> when the watchdog must look, microseconds
-- KEYS[3]  queue  list   the first stage's queue at the broker
-- ARGV  1 message id   2 session id   3 user id or ''   4 first stage   5 grace, ms
--       6 the broker's message, or '' when it is published otherwise   7 route and 8 identity of the run's error event
--       9 the headers of its messages, as JSON
-- Returns 'ok', or 'exists' for a run that was made before.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
local now = string.format('%.0f', NOW)
redis.call('HSET', KEYS[1], 'st', 'live', 'sid', ARGV[2], 'uid', ARGV[3], 'cur', ARGV[4], 'state', 'queued',
  'tok', '', 'tries', 0, 'q', now, 'open', '', 'done', '', 'sent', 1, 'error_route', ARGV[7], 'error_identity', ARGV[8],
  'headers', ARGV[9])
redis.call('ZADD', KEYS[2], string.format('%.0f', NOW + ARGV[5] * 1000), ARGV[1])
if ARGV[6] ~= '' then redis.call('LPUSH', KEYS[3], ARGV[6]) end
return 'ok'
