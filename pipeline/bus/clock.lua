-- The epoch and the newest id, made when the log is new.
--
-- KEYS[1..2]  as in prelude.lua
-- Returns {epoch, newest id}.
open_clock()
return {EPOCH, string.format('%.0f', LAST)}
