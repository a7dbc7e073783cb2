-- A piece of the answer: kept for those who come late, and announced. Not an event: it is not in the log.
--
-- KEYS[1]  run     hash    see begin.lua
-- KEYS[2]  answer  string  the answer so far, of the current try
-- KEYS[3]  answering  string  there as long as an answer of the session may be kept
-- ARGV  1 token   2 offset in characters   3 text   4 the frame as JSON
-- Saying a piece again, after a lost reply, changes nothing. Returns 1, or 0 when the caller no longer holds the stage.
local run = redis.call('HMGET', KEYS[1], 'st', 'sid', 'uid', 'tok', 'said')
if run[1] ~= 'live' or run[4] ~= ARGV[1] then return 0 end
local mark = ARGV[1] .. ' ' .. ARGV[2]
if run[5] == mark then return 1 end
redis.call('HSET', KEYS[1], 'said', mark)
if ARGV[2] == '0' then redis.call('SET', KEYS[2], ARGV[3]) else redis.call('APPEND', KEYS[2], ARGV[3]) end
redis.call('PEXPIRE', KEYS[2], RUN_TTL_MS)
redis.call('SET', KEYS[3], '1', 'PX', RUN_TTL_MS)
local announced = '0 chunk streaming normal progress\n' .. ARGV[4]
redis.call('PUBLISH', CHANNEL .. 'session:' .. run[2], announced)
if run[3] ~= '' then redis.call('PUBLISH', CHANNEL .. 'user:' .. run[3], announced) end
return 1
