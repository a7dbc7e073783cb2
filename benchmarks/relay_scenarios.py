"""What is done to feeds, one function a scenario, and what Spanfeed wants of itself there."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.load_clients import Audience, requests, said_by
from benchmarks.own_python import say
from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.relay_measure import Found, Load, by_turns, figures, measure, started
from benchmarks.relay_sides import Side

_SERVERS = ("naive", "socketio", "nchan", "nchanredis")
_FIRST_EVENTS = 20
_BATCH = 20
_TRIES_LIMIT = 5
_GROWTH_LIMIT = 10
_SETTLE_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all scenarios need to know."""

    kinds: Mapping[str, type[Side]]
    folder: Path
    rounds: int = 5
    clients: int = 1_000
    many_clients: int = 10_000
    seconds: float = 2.0


Scenario = Callable[[Bench], list[Comparison]]


def open_sides(bench: Bench, ends: contextlib.ExitStack, names: Sequence[str], clients: int = 0) -> list[Side]:
    """Starts those of the sides that can be had, for as many feeds as usual or more; `ends` ends them."""
    folder = Path(bench.folder / f"at-{time.monotonic_ns()}")
    folder.mkdir()
    return ends.enter_context(started(bench.kinds, names, folder, max(clients, bench.clients)))


def open_feeds(ends: contextlib.ExitStack, sides: Sequence[Side], clients: int, sessions: int) -> dict[str, Audience]:
    """Opens as many feeds on each side; `ends` closes them."""
    return {side.name: ends.enter_context(side.feeds(clients, sessions)) for side in sides}


def _enough(bench: Bench, side: Side, audience: Audience, sessions: int, batch: int) -> Load:
    """So many events that a side needs about the wanted time for them."""
    load = Load(bench.clients, sessions, _FIRST_EVENTS * max(1, sessions // _FIRST_EVENTS), batch=batch)
    for _ in range(_TRIES_LIMIT):
        took = measure(side, audience, load).seconds
        more = min(_GROWTH_LIMIT, bench.seconds / max(took, 0.001))
        load = dataclasses.replace(load, events=max(_FIRST_EVENTS, int(load.events * more)))
        if took >= bench.seconds / 4:
            break
    return load


def _saturated(
    bench: Bench, sides: Sequence[Side], feeds: Mapping[str, Audience], sessions: int, batch: int
) -> dict[str, list[Found]]:
    """As many events as each side can take, for about the wanted time; what it can is tried before."""
    loads = {side.name: _enough(bench, side, feeds[side.name], sessions, batch) for side in sides}
    return by_turns(sides, bench.rounds, lambda side: measure(side, feeds[side.name], loads[side.name]))


def topic(bench: Bench) -> list[Comparison]:
    """One session that all clients read, as many events as go."""
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", "oursannounced", *_SERVERS))
        feeds = open_feeds(ends, sides, bench.clients, 1)
        found = _saturated(bench, sides, feeds, 1, _BATCH)
    announced = [side for side in sides if side.name != "ours"]
    sides = [side for side in sides if side.name != "oursannounced"]
    goals = {"socketio": Goal(">=", 20), "nchan": Goal(">=", 10)}
    name = "one session, announced, saturated"
    return [
        *figures("one session, saturated", "deliveries/s", lambda f: f.rate, found, sides, goals),
        *figures("one session, saturated", "µs CPU/delivery", lambda f: f.cpu_us, found, sides, {}),
        *figures(name, "deliveries/s", lambda f: f.rate, found, announced, goals, "oursannounced"),
    ]


def sessions(bench: Bench) -> list[Comparison]:
    """A session for each client: 20,000 deliveries a second, then as many as go."""
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", "oursannounced", *_SERVERS))
        feeds = open_feeds(ends, sides, bench.clients, bench.clients)
        most = _saturated(bench, sides, feeds, bench.clients, _BATCH)
        announced = [side for side in sides if side.name != "ours"]
        rates = {name: statistics.median(one.rate for one in every) for name, every in most.items()}
        # Who cannot take so many is given fewer: the same work for each, and an end in time.
        loads = {
            name: Load(bench.clients, bench.clients, int(min(20_000, rate) * bench.seconds), 20_000, _BATCH)
            for name, rate in rates.items()
        }
        fixed = by_turns(announced, bench.rounds, lambda side: measure(side, feeds[side.name], loads[side.name]))
    sides = [side for side in sides if side.name != "oursannounced"]
    goals = {"socketio": Goal("<=", 1 / 8), "nchan": Goal("<=", 1 / 3)}
    name, fast = "a session each, announced", {"naive": Goal(">=", 4)}
    return [
        *figures(f"{name}, 20,000/s", "µs CPU/delivery", lambda f: f.cpu_us, fixed, announced, goals, "oursannounced"),
        *figures(f"{name}, saturated", "deliveries/s", lambda f: f.rate, most, announced, fast, "oursannounced"),
        *figures("a session each, appended, saturated", "deliveries/s", lambda f: f.rate, most, sides, fast),
        *figures("a session each, appended, saturated", "µs CPU/delivery", lambda f: f.cpu_us, most, sides, {}),
    ]


def latency(bench: Bench) -> list[Comparison]:
    """1,000 events a second, one by one, to a session for each client."""
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", "raw", "rawpublish", *_SERVERS))
        feeds = open_feeds(ends, sides, bench.clients, bench.clients)
        load = Load(bench.clients, bench.clients, int(1_000 * bench.seconds), 1_000)
        found = by_turns(sides, bench.rounds, lambda side: measure(side, feeds[side.name], load))
    p50, p99 = {"raw": Goal("<=", 1.3)}, {"socketio": Goal("<=", 0.5)}
    return [
        *figures("1,000 events/s, p50", "µs", lambda one: one.p50_us, found, sides, p50),
        *figures("1,000 events/s, p99", "µs", lambda one: one.p99_us, found, sides, p99),
    ]


def _idle_kilobytes(side: Side, clients: int) -> float:
    with side.feeds(50, 50):
        pass
    side.let_go(50)
    time.sleep(_SETTLE_SECONDS)
    before = side.memory_bytes()
    with side.feeds(clients, clients):
        time.sleep(_SETTLE_SECONDS)
        return (side.memory_bytes() - before) / clients / 1000


def idle(bench: Bench) -> list[Comparison]:
    """Feeds on which nothing happens."""
    weights: dict[str, float] = {}
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", *_SERVERS), bench.many_clients)
        clients = {side.name: min(bench.many_clients, side.idle_clients) for side in sides}
        for side in sides:
            weights[side.name] = _idle_kilobytes(side, clients[side.name])
            say(f"  {side.label}: {weights[side.name]:.2f} kB at {clients[side.name]} feeds")
    goal = Goal("<=", 3.5, ours=True)
    return [
        compare(
            f"an idle feed of {clients['ours']:,}",
            "kB",
            f"{side.label}, {clients[side.name]:,} feeds",
            [(weights["ours"], weights[side.name])],
            goal,
        )
        for side in sides
        if side.name != "ours"
    ]


def handshakes(bench: Bench) -> list[Comparison]:
    """Feeds that are opened, 32 at a time, beside plain requests on connections of their own."""

    def opened(side: Side) -> float:
        with side.feeds(bench.clients, bench.clients, 32) as audience:
            rate = bench.clients / audience.seconds
        side.let_go(bench.clients)
        say(f"  {side.label}: {rate:.0f} handshakes/s")
        return rate

    def asked(side: Side) -> float:
        with requests(side.port, side.ready_path, bench.seconds, 32) as process:
            answers = said_by(process)
        say(f"  {side.label}: {answers}")
        return float(answers["count"] / answers["seconds"])

    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", *_SERVERS))
        plain: list[float] = []

        def turn(side: Side) -> float:
            if side.name == "ours":
                plain.append(asked(side))
            return opened(side)

        for side in sides:
            opened(side)
        found = by_turns(sides, min(3, bench.rounds), turn)
    label = "the same gunicorn's plain route"
    line = compare("handshakes", "1/s", label, list(zip(found["ours"], plain, strict=True)), Goal(">=", 0.5))
    return [line, *figures("handshakes", "1/s", float, found, sides, {})]


def plain_requests(bench: Bench) -> list[Comparison]:
    """A plain route while many feeds get a message a second, and with no feeds."""
    pairs: list[tuple[float, float]] = []
    groups = 100
    seconds = 2 * bench.seconds

    def p99(side: Side, meanwhile: Callable[[], object]) -> float:
        with requests(side.port, side.ready_path, seconds, 4, 5) as process:
            meanwhile()
            answers = said_by(process)
        say(f"  a plain route: {answers}")
        return float(answers["p99_us"])

    with contextlib.ExitStack() as ends:
        side = open_sides(bench, ends, ("ours",))[0]
        load = Load(bench.many_clients, groups, int(groups * seconds), groups)
        p99(side, lambda: None)
        for _ in range(min(3, bench.rounds)):
            without = p99(side, lambda: None)
            with side.feeds(bench.many_clients, groups) as audience:
                pairs.append((p99(side, lambda: measure(side, audience, load)), without))
            time.sleep(_SETTLE_SECONDS)
    name = f"a plain route with {bench.many_clients:,} busy feeds, p99"
    return [compare(name, "µs", "the same without feeds", pairs, Goal("<=", 2))]


def busy_flask(bench: Bench) -> list[Comparison]:
    """200 events a second to a session for each client, while requests use all of Flask, and while nothing else is."""
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", "naive", "socketio"))
        feeds = open_feeds(ends, sides, bench.clients, bench.clients)
        load = Load(bench.clients, bench.clients, int(200 * bench.seconds), 200)

        def turn(side: Side) -> tuple[Found, Found]:
            quiet = measure(side, feeds[side.name], load)
            with requests(side.port, side.ready_path, 600, 16):
                time.sleep(_SETTLE_SECONDS)
                return measure(side, feeds[side.name], load), quiet

        found = by_turns(sides, bench.rounds, turn)
    name = "emit to socket, Flask saturated, p50"
    pairs = [(busy.p50_us, quiet.p50_us) for busy, quiet in found["ours"]]
    lines = [compare(name, "µs", "the same while Flask is quiet", pairs, Goal("<=", 1.3))]
    return lines + figures(name, "µs", lambda one: one[0].p50_us, found, sides, {})
