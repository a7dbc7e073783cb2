-- Where the log and one session stand at one moment: what was read of the session stays true as long as this does.
--
-- KEYS[1..4]  as in prelude.lua
-- KEYS[5]  answering  string  see chunk.lua
-- Returns {epoch, newest id of the log, number of the session's newest event, newest entry of its stream, 1 when an answer
-- may be kept or else 0}, '' for none.
open_clock()
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return {EPOCH, string.format('%.0f', LAST), redis.call('GET', KEYS[4]) or '', newest and newest[1] or '',
  redis.call('EXISTS', KEYS[5])}
