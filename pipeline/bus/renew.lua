-- Renews the lease of a running stage.
--
-- KEYS[1]  run  hash  see begin.lua
-- KEYS[2]  due  zset  see begin.lua
-- ARGV  1 message id   2 token   3 lease, ms
-- Returns 1, or 0 when the caller no longer holds the stage.
local run = redis.call('HMGET', KEYS[1], 'st', 'state', 'tok')
if run[1] ~= 'live' or run[2] ~= 'running' or run[3] ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[2], string.format('%.0f', NOW + ARGV[3] * 1000), ARGV[1])
return 1
