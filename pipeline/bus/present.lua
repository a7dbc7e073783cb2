-- A worker, or a recorder, says that it lives.
--
-- KEYS[1]  its kind  sorted set  names by when they last said so, in microseconds
-- ARGV  1 the name   2 after how long who says nothing is forgotten, us
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', NOW - ARGV[2]))
for _, name in ipairs(gone) do redis.call('ZREM', KEYS[1], name) end
return redis.call('ZADD', KEYS[1], string.format('%.0f', NOW), ARGV[1])
