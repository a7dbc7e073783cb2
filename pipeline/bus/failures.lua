-- Counts a failed sign-in of one address, and says whether there were too many within the window.
--
-- KEYS[1]  failures  string  when the address's newest failures were, in microseconds, separated by spaces
-- KEYS[2]  told      string  there while it was told that there were too many
-- ARGV  1 how many are too many   2 the window, ms
-- Returns {told, too_many}: told is 1 when it had been told before, too_many is 1 when it is to be told now.
local limit, window_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local times = {}
for text in string.gmatch(redis.call('GET', KEYS[1]) or '', '%d+') do
  -- A clock that was set back leaves times that lie in the future; they count as of now.
  if NOW - tonumber(text) < window_ms * 1000 then times[#times + 1] = text end
end
times[#times + 1] = string.format('%.0f', NOW)
if #times > limit then table.remove(times, 1) end
redis.call('SET', KEYS[1], table.concat(times, ' '), 'PX', window_ms)
if redis.call('EXISTS', KEYS[2]) == 1 then return {1, 0} end
if #times < limit then return {0, 0} end
redis.call('SET', KEYS[2], '1', 'PX', window_ms)
return {0, 1}
