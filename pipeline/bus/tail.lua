-- Where the log stands and what Redis holds of one session behind an id, all at one moment.
--
-- KEYS[1..4]  as in prelude.lua
-- ARGV  1 id   2 most events
-- Returns {epoch, newest id of the log, oldest entry of the log, oldest entry of the session's stream, events}; an entry
-- that there is not is ''.
open_clock()
local function oldest(stream)
  local found = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  return found and found[1] or ''
end
local events = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])) do
  events[i] = entry[2][2]
end
return {EPOCH, string.format('%.0f', LAST), oldest(KEYS[2]), oldest(KEYS[3]), events}
