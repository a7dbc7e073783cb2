-- Appends one event and announces it, once for each emitter key.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]     once   string  the id that this emitter key was given
-- KEYS[6]     spans  hash    the message's ordinary spans that are open: span id -> "<route>\n<identity>"
-- ARGV  1 session id or ''   2 user id or ''   3 audience   4 route   5 status   6 identity   7 state
--       8 how long the emitter key is remembered, ms   9 took, ms, or ''
--       10 span id that this event opens (status started) or closes, or ''   11 how long open spans are kept, ms
-- Returns {1, id} for a new event, {0, id} for a repeat.
local old = redis.call('GET', KEYS[5])
if old then return {0, old} end
local id = emit({sid = ARGV[1], uid = ARGV[2], audience = ARGV[3], route = ARGV[4], status = ARGV[5],
  identity = ARGV[6], state = ARGV[7], took_ms = tonumber(ARGV[9])})
local text = string.format('%.0f', id)
redis.call('SET', KEYS[5], text, 'PX', ARGV[8])
if ARGV[10] ~= '' then
  if ARGV[5] == 'started' then
    redis.call('HSET', KEYS[6], ARGV[10], ARGV[4] .. '\n' .. ARGV[6])
    redis.call('PEXPIRE', KEYS[6], ARGV[11])
  else
    redis.call('HDEL', KEYS[6], ARGV[10])
  end
end
return {1, text}
