-- Where the log stands and what Redis holds of one session, all at one moment: some events, never all of a long stream.
--
-- KEYS[1..4]  as in prelude.lua
-- ARGV  1 events behind this id   2 and before this one, or ''   3 most events   4 most bytes (one event at least)
--       5 '1' for the newest of them, then in descending order
-- Returns {epoch, newest id of the log, oldest entry of the log, oldest entry of the session's stream, 1 when these are all
-- of them or else 0, events}; an entry that there is not is ''.
local FEW, MANY = 4, 64
open_clock()
local function oldest(stream)
  local found = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  return found and found[1] or ''
end
local command = ARGV[5] == '1' and 'XREVRANGE' or 'XRANGE'
local first, last = '(' .. ARGV[1] .. '-0', ARGV[2] == '' and '+' or '(' .. ARGV[2] .. '-0'
local count, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
-- What is read at once is held in memory before it is measured.
local large = tonumber(redis.call('HGET', KEYS[1], 'large') or '0')
local step = large > tonumber(ARGV[1]) and FEW or MANY
local events, whole = {}, 0
while whole == 0 and #events < count and (bytes > 0 or #events == 0) do
  local asked = math.min(step, count - #events)
  local entries
  if command == 'XRANGE' then
    entries = redis.call('XRANGE', KEYS[3], first, last, 'COUNT', asked)
  else
    entries = redis.call('XREVRANGE', KEYS[3], last, first, 'COUNT', asked)
  end
  local given = 0
  for _, entry in ipairs(entries) do
    bytes = bytes - #entry[2][2]
    if bytes < 0 and #events > 0 then break end
    events[#events + 1], given = entry[2][2], given + 1
    if command == 'XRANGE' then first = '(' .. entry[1] else last = '(' .. entry[1] end
  end
  if given == #entries and #entries < asked then whole = 1 end
end
return {EPOCH, string.format('%.0f', LAST), oldest(KEYS[2]), oldest(KEYS[3]), whole, events}
