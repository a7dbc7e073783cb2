-- Before every script that writes events: the clock, and append-and-announce.
--
-- KEYS[1]  clock    hash    last: newest event id; epoch: changes when the log was lost;
--                           large: newest id of an event of LARGE_BYTES; dropped: events that found the log full
-- KEYS[2]  log      stream  every event of the shard, until it is recorded; entry id <id>-0, field e
-- KEYS[3]  session  stream  the session's newest events, for replay
-- KEYS[4]  seq      string  how many events the session has had; outlives its stream
--
-- In front of this text the loader writes the constants STREAM_LIMIT, STREAM_TTL_MS, SEQ_TTL_MS, RUN_TTL_MS,
-- LOG_LIMIT (events), LARGE_BYTES and CHANNEL (the prefix of channels).
--
-- Numbers: an id is below 2^53, so a double holds it exactly; it must be written with %.0f, never by tostring.

local function now_us()
  local t = redis.call('TIME')
  return (t[1] - 1577836800) * 1000000 + t[2]
end

local NOW = now_us()
local LAST, EPOCH

-- Gives the log a new epoch, and tells it to those who follow feeds: what they have read says nothing about what comes.
local function new_epoch()
  EPOCH = string.format('%.0f', math.max(NOW, tonumber(EPOCH or '0') + 1))
  redis.call('HSET', KEYS[1], 'last', string.format('%.0f', LAST), 'epoch', EPOCH)
  redis.call('PUBLISH', CHANNEL .. 'epoch', '0 epoch monitoring critical started\n' .. EPOCH)
end

local function open_clock()
  local clock = redis.call('HMGET', KEYS[1], 'last', 'epoch')
  LAST, EPOCH = tonumber(clock[1] or nil), clock[2]
  if LAST == nil or not EPOCH then
    -- The clock was lost. If the log still lives, ids must go on behind its newest entry or every XADD would fail.
    local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
    -- What the database holds lies before this moment, and a reader asks for it up to the newest id.
    LAST = LAST or NOW
    if type(info) == 'table' and not info.err then
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
          LAST = math.max(LAST, tonumber(string.match(info[i + 1], '^%d+')))
        end
      end
    end
    if EPOCH then redis.call('HSET', KEYS[1], 'last', string.format('%.0f', LAST)) else new_epoch() end
  end
end

-- The id as a date. Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
local function timestamp_of(id)
  local us = id % 1000000
  local seconds = (id - us) / 1000000 + 1577836800
  local day = math.floor(seconds / 86400)
  local rest = seconds - day * 86400
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local d = doy - math.floor((153 * mp + 2) / 5) + 1
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400 + (m <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', y, m, d, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, us)
end

-- Appends one event to the log and to its session's stream and announces it. `event` has: sid, uid ('' for none),
-- audience (see below), route ("<type> <category> <priority>"), status, identity and state (pieces of JSON),
-- attempt, took_ms and waited_ms (numbers, or nil). Returns the id.
--
-- Audiences: user: the session's feed and the user's own; person: the user's own feeds, not the session's;
-- everyone: the session's feed and the feed for everyone, which every user's feed reads; operator: operators only;
-- record: nobody, the event is only kept. All but the last are shown to operators.
local function emit(event)
  if LAST == nil then open_clock() end
  LAST = math.max(LAST + 1, NOW)
  local id = string.format('%.0f', LAST)
  redis.call('HSET', KEYS[1], 'last', id)
  local audience = event.audience
  local in_session = event.sid ~= '' and (audience == 'user' or audience == 'everyone')
  local seq = 'null'
  if in_session then
    seq = redis.call('INCR', KEYS[4])
    redis.call('PEXPIRE', KEYS[4], SEQ_TTL_MS)
  end
  local body = '{"id":' .. id .. ',"seq":' .. seq .. ',"timestamp":"' .. timestamp_of(LAST) .. '","attempt":' ..
    (event.attempt or 'null') .. ',"processing_time_ms":' ..
    (event.took_ms and string.format('%.0f', event.took_ms) or 'null') .. ',"queue_time_ms":' ..
    (event.waited_ms and string.format('%.0f', event.waited_ms) or 'null') .. ',' .. event.identity .. ',' ..
    event.state .. '}'
  redis.call('XADD', KEYS[2], id .. '-0', 'e', body)
  if #body >= LARGE_BYTES then redis.call('HSET', KEYS[1], 'large', id) end
  local announced = id .. ' ' .. event.route .. ' ' .. event.status .. '\n' .. body
  if in_session then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', STREAM_LIMIT, id .. '-0', 'e', body)
    redis.call('PEXPIRE', KEYS[3], STREAM_TTL_MS)
    redis.call('PUBLISH', CHANNEL .. 'session:' .. event.sid, announced)
  end
  if audience == 'user' or audience == 'person' then
    if event.uid ~= '' then redis.call('PUBLISH', CHANNEL .. 'user:' .. event.uid, announced) end
  elseif audience == 'everyone' then
    redis.call('PUBLISH', CHANNEL .. 'everyone', announced)
  end
  if audience ~= 'record' then redis.call('PUBLISH', CHANNEL .. 'operators', announced) end
  return LAST
end

-- Whether an event that may be missed must be, because the log waits for its recorder and is full; then it is counted.
local function dropped_when_full()
  if redis.call('XLEN', KEYS[2]) < LOG_LIMIT then return false end
  redis.call('HINCRBY', KEYS[1], 'dropped', 1)
  return true
end

local function split_lines(text)
  local lines = {}
  for line in string.gmatch(text or '', '[^\n]+') do lines[#lines + 1] = line end
  return lines
end

-- A span's line in the run: "<start id>\n<stage that opened it>\n<route>\n<failed text as JSON>\n<identity>".
local function read_span(run, name)
  local packed = redis.call('HGET', run, 'span:' .. name)
  if not packed then return nil end
  local at, stage, route, failed, identity = string.match(packed, '^(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$')
  return {name = name, at = tonumber(at), stage = stage, route = route, failed = failed, identity = identity}
end

-- Ends one open span of the run, by `took_us` of the caller's own clock or else by Redis's. Returns its end id.
local function close_span(run, span, sid, uid, attempt, status, state, took_us)
  local took = tonumber(took_us) or math.max(0, NOW - span.at)
  local id = emit({sid = sid, uid = uid, audience = 'user', route = span.route, status = status,
    identity = span.identity, state = state, attempt = attempt, took_ms = math.floor(took / 1000 + 0.5)})
  return id, took
end

-- Ends the ordinary spans of a process that died (see append.lua), before the stage's own.
local function end_ordinary(spans_key, sid, uid, reason)
  local spans = redis.call('HGETALL', spans_key)
  for i = 1, #spans, 2 do
    local at, route, text, identity = string.match(spans[i + 1], '^(%d+)\n([^\n]*)\n([^\n]*)\n(.*)$')
    local hidden = string.find(identity, '"session_id":null', 1, true)
    emit({sid = hidden and '' or sid, uid = uid, audience = hidden and 'operator' or 'user', route = route,
      status = 'failed', identity = identity, took_ms = math.floor(math.max(0, NOW - tonumber(at)) / 1000 + 0.5),
      state = '"event_status":"failed","user_message":' .. text .. ',"event_data":null,"metadata":{},"reason":"' ..
      reason .. '","error_type":"' .. reason .. '","task_id":null'})
  end
  redis.call('DEL', spans_key)
end

-- Says that a running stage will be tried again: a progress event on its own open spans (or, when it has none left, on
-- the innermost open one), and the answer so far is worth nothing any more.
local function give_back(run_key, answer_key, spans_key, reason, mid, sid, uid, stage, tries, open, state)
  end_ordinary(spans_key, sid, uid, reason)
  local spans = {}
  for _, name in ipairs(open) do
    local span = read_span(run_key, name)
    if span.stage == stage then spans[#spans + 1] = span end
  end
  if #spans == 0 and #open > 0 then spans[1] = read_span(run_key, open[#open]) end
  for _, span in ipairs(spans) do
    emit({sid = sid, uid = uid, audience = 'user', route = span.route, status = 'progress',
      identity = span.identity, state = state, attempt = tries + 1})
  end
  if redis.call('DEL', answer_key) == 1 then
    redis.call('PUBLISH', CHANNEL .. 'session:' .. sid, '0 answer_reset streaming normal progress\n' ..
      '{"type":"answer_reset","message_id":"' .. mid .. '","attempt":' .. (tries + 1) .. '}')
  end
end

-- The names in `open` without those in `closed` (a set).
local function without(open, closed)
  local left = {}
  for _, name in ipairs(open) do
    if not closed[name] then left[#left + 1] = name end
  end
  return table.concat(left, '\n')
end
