-- A worker says that it lives.
--
-- KEYS[1]  workers  sorted set  workers by when they last said so, in microseconds
-- ARGV  1 the worker's name
return redis.call('ZADD', KEYS[1], string.format('%.0f', NOW), ARGV[1])
