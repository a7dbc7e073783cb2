-- Closes one open span of a running stage, with what it gave: a parallel child that is ready before its siblings.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  run  hash  see begin.lua
-- ARGV  1 token   2 span's name   3 status   4 state   5 took microseconds or ''   6 what it gave, as JSON, or ''
-- Returns {'ok', start id, end id, took}, {'again'} for a span that is closed, or {'fenced'}.
local run = redis.call('HMGET', KEYS[5], 'st', 'sid', 'uid', 'tok', 'tries', 'open', 'done')
if run[1] ~= 'live' or run[4] ~= ARGV[1] then return {'fenced'} end
local open = split_lines(run[6])
local found = false
for _, name in ipairs(open) do found = found or name == ARGV[2] end
if not found then return {'again'} end
local span = read_span(KEYS[5], ARGV[2])
local id, took = close_span(KEYS[5], span, run[2], run[3], run[5], ARGV[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[5], 'open', without(open, {[ARGV[2]] = true}),
  'done', run[7] == '' and ARGV[2] or run[7] .. '\n' .. ARGV[2])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[5], 'out:' .. ARGV[2], ARGV[6]) end
return {'ok', string.format('%.0f', span.at), string.format('%.0f', id), string.format('%.0f', took)}
