-- Compares the log with what the database holds, before more of it is stored: has Redis gone back?
--
-- KEYS[1..2]  as in prelude.lua; the clock's field `mark` is the newest entry that is known to be stored
-- ARGV  1 the newest entry that the database has stored, 0 for none   2 the epoch that the database knows, or ''
-- Returns {epoch, newest id}.
--
-- An entry stays in the log until it is stored, marked and acknowledged, in this order. So what is stored is marked or
-- still in the log; when it is neither, Redis was restored from an older state: ids and numbers that were given are
-- forgotten. Then the epoch changes, so that clients ask anew. In either case ids go on behind what is stored.
open_clock()
local stored = tonumber(ARGV[1])
local mark = redis.call('HGET', KEYS[1], 'mark')
if not mark or tonumber(mark) < stored then
  local kept = #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1], 'COUNT', 1) > 0
  -- A log that was never marked is new (its epoch is, too), or older than marks are.
  local back = not kept and (mark or EPOCH == ARGV[2] or (stored > LAST and LAST > 0))
  LAST = math.max(LAST, stored)
  redis.call('HSET', KEYS[1], 'last', string.format('%.0f', LAST), 'mark', ARGV[1])
  if back then new_epoch() end
end
return {EPOCH, string.format('%.0f', LAST)}
