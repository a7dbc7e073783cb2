-- The state of a run and its answer so far, read at one moment.
--
-- KEYS[1]  run     hash    see begin.lua
-- KEYS[2]  answer  string  the answer so far, of the current try
-- Returns {state of the run, current stage, queued or running, tries, answer so far}, each '' when there is none.
local run = redis.call('HMGET', KEYS[1], 'st', 'cur', 'state', 'tries')
return {run[1] or '', run[2] or '', run[3] or '', run[4] or '', redis.call('GET', KEYS[2]) or ''}
