"""The bus as the rest of the program sees it: one method a script, with deadlines."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.bus import keys, runs, sessions
from pipeline.bus.feed import Subscription
from pipeline.bus.handler_log import HandlerLog
from pipeline.bus.log import Log
from pipeline.bus.redis import Argument, Scripts, asking, connect
from pipeline.event import EPOCH_OFFSET_SECONDS, Event, Identity, State, clean_text, encode
from pipeline.failpoints import Failpoints
from pipeline.redaction import redactor_of
from pipeline.settings import Settings

_CONNECT_PATIENCE = 4
"""A connection is made once, and TLS shakes hands in several turns: it may take so many times an emit's deadline."""


_FORGOTTEN_SECONDS = 86_400
"""Who has not said for so long that it lives."""


class Bus:
    """All that is done with Redis. Safe to use from several threads; after a fork the connections are new.

    Methods raise BusUnavailable when Redis does not answer in time.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redactor = redactor_of(settings)
        self._scripts = Scripts(settings)
        self._stage = connect(settings.redis_url, settings.script_timeout_ms / 1000)
        emit_seconds = settings.emit_deadline_ms / 1000
        self._quick = connect(settings.redis_url, emit_seconds, emit_seconds * _CONNECT_PATIENCE)
        self._failpoints = Failpoints(settings.failpoints)
        self.log = Log(self._stage, self._failpoints, settings.handler_log_limit_events)
        self.handler_log = HandlerLog(self._stage, settings.handler_dead_limit_events)

    def _insist(self, script: str, key_names: Sequence[str], arguments: Sequence[Argument]) -> Any:
        deadline = self.settings.script_deadline_seconds
        return self._scripts.insist(self._stage, script, key_names, arguments, deadline)

    def queue_lengths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait in Celery's queues, where this Redis is its broker."""

        def ask() -> list[Any]:
            with self._stage.pipeline(transaction=False) as pipe:
                for queue in queues:
                    pipe.llen(queue)
                return list(pipe.execute())

        return dict(zip(queues, asking(ask), strict=True))

    # Events

    def append(
        self,
        identity: Identity,
        state: State,
        emitter_key: str,
        audience: str = "user",
        took_ms: int | None = None,
        ordinary_span: tuple[str, str] | None = None,
        failed_text: str | None = None,
    ) -> int:
        """Writes one event and gives its id; a repeated `emitter_key` gives the first id and writes nothing.

        `ordinary_span` is (message id, span id) of a span that this event opens or closes;
        `failed_text` is what a user reads if its process dies.
        """
        session_id = identity.session_id or ""
        arguments: list[Argument] = [
            session_id,
            identity.user_id or "",
            audience,
            runs.route_of(identity),
            str(state.event_status or "none"),
            identity.fragment(self.redactor),
            state.fragment(self.redactor),
            self.settings.emitter_key_ttl_seconds * 1000,
            "" if took_ms is None else took_ms,
            ordinary_span[1] if ordinary_span else "",
            self.settings.run_ttl_seconds * 1000,
            encode(None if failed_text is None else self.redactor.text(failed_text)),
        ]
        key_names = [
            *keys.events(session_id),
            keys.once(new_token() if self._failpoints.armed("append.forget_key") else emitter_key),
            keys.spans(ordinary_span[0] if ordinary_span else ""),
        ]
        reply = self._scripts.call(self._quick, "append", key_names, arguments)
        return int(reply[1])

    def clock(self) -> tuple[str, int]:
        """The log's epoch and its newest id."""
        reply = self._scripts.call(self._stage, "clock", [keys.CLOCK, keys.LOG], [])
        return reply[0].decode(), int(reply[1])

    def session_clock(self, session_id: str) -> sessions.SessionClock:
        """Where the log and the session stand."""
        key_names = [*keys.events(session_id), keys.answering(session_id)]
        return sessions.session_clock(self._scripts.call(self._stage, "session", key_names, []))

    def session_tail(self, session_id: str, after: int, limit: int, limit_bytes: int) -> sessions.Tail:
        """Where the log stands, and the first events of the session's stream behind `after`, at one moment.

        At most `limit`, and no more than fit into `limit_bytes`, but one at least: Redis does nothing else meanwhile.
        """
        arguments: list[Argument] = [after, "", limit, limit_bytes, "0"]
        return sessions.tail(self._scripts.call(self._stage, "tail", keys.events(session_id), arguments))

    def session_end(self, session_id: str, before: int | None, limit: int, limit_bytes: int) -> sessions.Tail:
        """As `session_tail`, with the last events of the session's stream before the id `before` (None: of all)."""
        arguments: list[Argument] = [0, "" if before is None else before, limit, limit_bytes, "1"]
        return sessions.tail(self._scripts.call(self._stage, "tail", keys.events(session_id), arguments))

    def lift(self, stored: int, epoch: str | None) -> str:
        """Tells the log what the database holds, its newest entry and the epoch that it knows; gives the log's epoch.

        It is another one when Redis has lost what the database holds, see `lift.lua`. Ids go on behind `stored`.
        """
        arguments: list[Argument] = [stored, epoch or ""]
        return str(self._scripts.call(self._stage, "lift", [keys.CLOCK, keys.LOG], arguments)[0].decode())

    def failed_sign_in(self, address: str, limit: int, window_seconds: float) -> tuple[bool, bool]:
        """Counts a failed sign-in: whether it was told in this window that they are too many, or is to be told now."""
        key_names = [keys.failures(address), keys.failures_told(address)]
        arguments: list[Argument] = [max(1, limit), max(1, int(window_seconds * 1000))]
        told, too_many = self._scripts.call(self._quick, "failures", key_names, arguments)
        return bool(told), bool(too_many)

    def take_turn(self, work: str, seconds: float) -> bool:
        """Whether the caller may do what one process is to do in so long a time; nobody else may until it is over."""
        return bool(asking(lambda: self._stage.set(keys.turn(work), "1", nx=True, px=max(1, int(seconds * 1000)))))

    def say_present(self, name: str, kind: str = keys.WORKERS) -> None:
        """Says that a worker lives, or with the `kind` RECORDING a recorder."""
        self._scripts.call(self._quick, "present", [kind], [name, _FORGOTTEN_SECONDS * 1_000_000])

    def workers(self, within_seconds: float) -> list[str]:
        """The workers that have said so within that time, by name; the others are forgotten."""
        since = self._now_us() - int(within_seconds * 1_000_000)
        gone = asking(lambda: self._stage.zrangebyscore(keys.WORKERS, "-inf", f"({since}"))
        if gone:
            asking(lambda: self._stage.zrem(keys.WORKERS, *gone))
        return sorted(name.decode() for name in asking(lambda: self._stage.zrangebyscore(keys.WORKERS, since, "+inf")))

    # Runs

    def submit(
        self,
        message_id: str,
        session_id: str,
        user_id: str | None,
        first_stage: str,
        error: Identity,
        queue: str,
        message: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        """Makes the run of an accepted message and sends its first stage; False when it was made before."""
        arguments: list[Argument] = [
            message_id,
            session_id,
            user_id or "",
            first_stage,
            self._grace_ms(),
            message,
            runs.route_of(error),
            error.fragment(self.redactor),
            encode(dict(headers or {})),
        ]
        key_names = [keys.run(message_id), keys.DUE, queue]
        return bool(self._scripts.call(self._stage, "submit", key_names, arguments) == b"ok")

    def begin(
        self,
        session_id: str,
        message_id: str,
        stage: str,
        token: str,
        holder: str,
        spans: Sequence[runs.SpanStart],
        fields: Sequence[str] = (),
    ) -> runs.Begun:
        """Takes a stage. Raises StageRefused when it is done, held by another, or its run has ended."""
        arguments: list[Argument] = [message_id, stage, token, holder, self._lease_ms(), len(fields), *fields]
        for span in spans:
            arguments += span.arguments(self.redactor)
        key_names = [*keys.events(session_id), keys.run(message_id), keys.DUE, keys.BEGUN]
        return runs.begun(self._insist("begin", key_names, arguments))

    def end(
        self,
        session_id: str,
        message_id: str,
        stage: str,
        token: str,
        closings: Sequence[runs.Closing],
        output: Any,
        next_stage: str = "",
        queue: str = "none",
        message: bytes = b"",
    ) -> list[runs.Closed]:
        """Ends a stage and hands over; the run is complete without `next_stage`. Raises FenceLost."""
        arguments: list[Argument] = [
            message_id,
            stage,
            token,
            next_stage,
            self._grace_ms(),
            encode(output),
            message,
        ]
        for closing in closings:
            arguments += closing.arguments(self.redactor)
        key_names = [*keys.events(session_id), keys.run(message_id), keys.DUE, queue]
        return runs.closed(self._insist("end", key_names, arguments), 4)

    def close(
        self, session_id: str, message_id: str, token: str, closing: runs.Closing, output: Any = None
    ) -> runs.Closed | None:
        """Closes one span of a running stage; None when it was closed before. Raises FenceLost."""
        arguments: list[Argument] = [
            token,
            *closing.arguments(self.redactor),
            b"" if output is None else encode(output),
        ]
        reply = self._insist("close", [*keys.events(session_id), keys.run(message_id)], arguments)
        if reply[0] == b"again":
            return None
        return runs.closed([reply[0], closing.name.encode(), *reply[1:]], 4)[0]

    def progress(self, session_id: str, message_id: str, token: str, span: str, state: State) -> int | None:
        """Writes a progress event; None when the caller does not hold the stage or the span is not open."""
        key_names = [*keys.events(session_id), keys.run(message_id)]
        reply = self._scripts.call(self._quick, "progress", key_names, [token, span, state.fragment(self.redactor)])
        return int(reply[1]) if reply[0] else None

    def release(
        self,
        session_id: str,
        message_id: str,
        stage: str,
        by: tuple[str, str],
        state: State,
        wait_ms: int = 0,
        queue: str = "none",
        message: bytes = b"",
    ) -> int | None:
        """Gives a stage back to its queue and tells the next try's number; None when no try is left.

        `by` is ("token", …) or ("holder", …). Raises FenceLost when it does not hold the stage.
        """
        arguments: list[Argument] = [
            message_id,
            stage,
            *by,
            self.settings.stage_tries_limit,
            wait_ms,
            self._grace_ms(),
            message,
            state.fragment(self.redactor),
            state.reason or "error",
        ]
        key_names = [*keys.events(session_id), keys.run(message_id), keys.DUE, queue]
        key_names += [keys.answer(message_id), keys.spans(message_id)]
        reply = self._insist("release", key_names, arguments)
        if reply[0] == b"exhausted":
            return None
        if reply[0] == b"again":
            return 0
        runs.closed(reply[:1], 4)
        return int(reply[1])

    def fail(
        self,
        session_id: str,
        message_id: str,
        stage: str,
        by: tuple[str, str],
        state: State,
        error: State,
        run_status: str = "failed",
    ) -> list[runs.Closed]:
        """Ends a run that cannot be completed; `by` may also be ("any", ""). Raises FenceLost when it has ended.

        Of `state` everything but status and text goes into the events of the open spans.
        """
        behind_text = state.fragment(self.redactor).partition(b'"event_data":')
        arguments: list[Argument] = [
            message_id,
            stage,
            *by,
            run_status,
            behind_text[1] + behind_text[2],
            error.fragment(self.redactor),
            state.reason or "error",
        ]
        key_names = [*keys.events(session_id), keys.run(message_id), keys.DUE, keys.spans(message_id)]
        return runs.closed(self._insist("fail", key_names, arguments), 5)

    def chunk(self, session_id: str, message_id: str, token: str, attempt: int, offset: int, text: str) -> bool:
        """Announces a piece of the answer; False when the caller does not hold the stage.

        `text` must be clean (see `pipeline.event.clean_text`): its characters are what `offset` counts.
        """
        text = clean_text(text)
        frame = {"type": "chunk", "message_id": message_id, "attempt": attempt, "offset": offset, "text": text}
        key_names = [keys.run(message_id), keys.answer(message_id), keys.answering(session_id)]
        # By the stage's client: a piece that is dropped would leave a hole in the answer that is read late.
        return bool(self._insist("chunk", key_names, [token, offset, text.encode(), encode(frame)]))

    def renew(self, message_id: str, token: str) -> bool:
        """Renews a stage's lease; False when the token does not hold it any more."""
        key_names = [keys.run(message_id), keys.DUE]
        return bool(self._scripts.call(self._stage, "renew", key_names, [message_id, token, self._lease_ms()]))

    def due(self, limit: int) -> list[str]:
        """The runs that must be looked after now, at most `limit`, longest due first.

        After them those that are due later than anybody may wait: Redis's clock was set back.
        """
        now_us = self._now_us()
        found = asking(lambda: self._stage.zrangebyscore(keys.DUE, "-inf", now_us, start=0, num=limit))
        if len(found) < limit:
            too_late, left = now_us + self._longest_wait_ms() * 1000, limit - len(found)
            found += asking(lambda: self._stage.zrangebyscore(keys.DUE, f"({too_late}", "+inf", start=0, num=left))
        return [message_id.decode() for message_id in found]

    def overdue_runs(self, seconds: float) -> int:
        """How many runs should have been looked after so long ago, and were not."""
        upto_us = self._now_us() - int(seconds * 1_000_000)
        return int(asking(lambda: self._stage.zcount(keys.DUE, "-inf", upto_us)))

    def forget_due(self, message_id: str) -> None:
        """Takes a run that Redis does not know any more from those that are looked after."""
        asking(lambda: self._stage.zrem(keys.DUE, message_id))

    def resume(
        self,
        session_id: str,
        message_id: str,
        stage: str,
        state: State,
        queue: str,
        message: bytes,
        queue_is: runs.QueueIs,
    ) -> str:
        """Looks after one due run; the word says what was done, see `resume.lua`."""
        arguments: list[Argument] = [
            message_id,
            stage,
            self.settings.stage_tries_limit,
            self._grace_ms(),
            message,
            state.fragment(self.redactor),
            queue_is,
            self.settings.stage_messages_limit,
            self._longest_wait_ms(),
            self._lease_ms(),
        ]
        key_names = [*keys.events(session_id), keys.run(message_id), keys.DUE, queue]
        key_names += [keys.answer(message_id), keys.BEGUN, keys.spans(message_id)]
        return str(self._scripts.call(self._stage, "resume", key_names, arguments).decode())

    def _now_us(self) -> int:
        seconds, micros = asking(self._stage.time)
        return int((seconds - EPOCH_OFFSET_SECONDS) * 1_000_000 + micros)

    def run_state(self, message_id: str) -> runs.RunState:
        """The run and its answer so far."""
        key_names = [keys.run(message_id), keys.answer(message_id)]
        status, stage, state, tries, answer = self._scripts.call(self._stage, "answer", key_names, [])
        return runs.RunState(status.decode(), stage.decode(), state.decode(), int(tries or 0), answer.decode())

    def run_fields(self, message_id: str, fields: Sequence[str]) -> list[bytes | None]:
        """Some fields of a run's hash."""
        return list(asking(lambda: self._stage.hmget(keys.run(message_id), list(fields))))

    # Feeds

    def subscribe(self) -> Subscription:
        """A connection of its own that follows channels."""
        client = connect(self.settings.redis_url, timeout_seconds=None)
        return Subscription(client, self.settings.script_timeout_ms / 1000)

    def session_events(self, session_id: str, after: int, upto: int, limit: int) -> list[Event]:
        """At most `limit` events of the session's stream behind `after` up to `upto`, oldest first."""
        return self.log.read_stream(keys.session_stream(session_id), after, upto, limit)

    def forget_session(self, session_id: str, message_ids: Sequence[str]) -> None:
        """Takes the session's stream and answers out of Redis; its numbering stays."""
        names = [keys.session_stream(session_id), keys.answering(session_id), *(keys.answer(m) for m in message_ids)]
        asking(lambda: self._stage.delete(*names))

    def ping(self) -> None:
        """Returns when Redis answers."""
        asking(self._stage.ping)

    def close_connections(self) -> None:
        """Ends the connections."""
        self._stage.close()
        self._quick.close()

    def _grace_ms(self) -> int:
        return int(self.settings.queue_grace_seconds * 1000)

    def _lease_ms(self) -> int:
        return int(self.settings.lease_seconds * 1000)

    def _longest_wait_ms(self) -> int:
        """The longest that the scripts let a run wait: eight times the grace (see `resume.lua`), or a retry's pause."""
        retry_ms = int(self.settings.retry_backoff_limit_seconds * 1000)
        return max(self._lease_ms(), 8 * self._grace_ms(), retry_ms + self._grace_ms())


def open_bus(settings: Settings) -> Bus:
    """A bus on `settings.redis_url`; nothing is sent yet."""
    return Bus(settings)


def new_token() -> str:
    """A token that nobody else has."""
    return secrets.token_hex(8)


__all__ = ["Bus", "new_token", "open_bus"]
