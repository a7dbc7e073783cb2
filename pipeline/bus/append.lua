-- Appends one event and announces it, once for each emitter key.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]     once   string  the id that this emitter key was given
-- KEYS[6]     spans  hash    the message's ordinary spans that are open: span id ->
--                      "<start id>\n<route>\n<failed text as JSON>\n<identity>"
-- ARGV  1 session id or ''   2 user id or ''   3 audience   4 route   5 status   6 identity   7 state
--       8 how long the emitter key is remembered, ms   9 took, ms, or ''
--       10 span id that this event opens (status started) or closes, or ''   11 how long open spans are kept, ms
--       12 the opened span's failed text as JSON
-- Returns {1, id} for a new event, {0, id} for a repeat, {0, 0} for the end of a span that has ended or was never
-- written, and for what finds the log full: ordinary spans that begin, progress and events without a status, unless
-- they are for auditors or matter much.
local old = redis.call('GET', KEYS[5])
if old then return {0, old} end
-- A span that is not open any more was ended for its process, which was believed dead.
if ARGV[10] ~= '' and ARGV[5] ~= 'started' and redis.call('HDEL', KEYS[6], ARGV[10]) == 0 then return {0, '0'} end
local category, priority = string.match(ARGV[4], '^%S+ (%S+) (%S+)$')
local may_be_missed = (ARGV[10] ~= '' and ARGV[5] == 'started') or
  (ARGV[10] == '' and (ARGV[5] == 'progress' or ARGV[5] == 'none'))
if may_be_missed and category ~= 'audit' and category ~= 'security' and priority ~= 'high' and
  priority ~= 'critical' and dropped_when_full() then return {0, '0'} end
local id = emit({sid = ARGV[1], uid = ARGV[2], audience = ARGV[3], route = ARGV[4], status = ARGV[5],
  identity = ARGV[6], state = ARGV[7], took_ms = tonumber(ARGV[9])})
local text = string.format('%.0f', id)
redis.call('SET', KEYS[5], text, 'PX', ARGV[8])
if ARGV[10] ~= '' and ARGV[5] == 'started' then
  redis.call('HSET', KEYS[6], ARGV[10], text .. '\n' .. ARGV[4] .. '\n' .. ARGV[12] .. '\n' .. ARGV[6])
  redis.call('PEXPIRE', KEYS[6], ARGV[11])
end
return {1, text}
