"""The floor: a redis-py SUBSCRIBE that reads what is announced, `python -m benchmarks.relay_raw URL CHANNEL SESSIONS`.

`{}` in CHANNEL stands for the session's number. It speaks the same lines as `load/feeds.c`.
"""

from __future__ import annotations

import json
import sys
import time

import redis

_MARK = b'"at_us":'
_TURN_SECONDS = 0.05


def main() -> None:
    """The command."""
    url, channel, sessions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    began = time.monotonic()
    with redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=False) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(*(channel.replace("{}", str(number)) for number in range(sessions)))
        for _ in range(sessions):
            pubsub.get_message(timeout=10)
        print(json.dumps({"ready": sessions, "failed": 0, "seconds": time.monotonic() - began}), flush=True)
        for line in sys.stdin:
            expected, quiet_ms, _ = map(int, line.split())
            print("{}", flush=True)
            print(json.dumps(_count(pubsub, expected, quiet_ms / 1000)), flush=True)


def _count(pubsub: redis.client.PubSub, expected: int, quiet_seconds: float) -> dict[str, float]:
    ages: list[float] = []
    cpu = 0.0
    first = last = time.monotonic()
    while len(ages) < expected and time.monotonic() < last + quiet_seconds:
        message = pubsub.get_message(timeout=_TURN_SECONDS)
        if message is None:
            continue
        now = time.monotonic()
        last = now
        if not ages:
            first, cpu = last, time.process_time()
        text = message["data"]
        place = text.index(_MARK) + len(_MARK)
        ages.append(now * 1e6 - int(text[place : text.index(b",", place)]))
    ages.sort()
    seconds, count = last - first, len(ages)
    return {
        "count": count,
        "seconds": seconds,
        "busy": (time.process_time() - cpu) / seconds if seconds else 0.0,
        "p50_us": ages[count // 2] if ages else 0.0,
        "p99_us": ages[int((count - 1) * 0.99)] if ages else 0.0,
        "max_us": ages[-1] if ages else 0.0,
    }


if __name__ == "__main__":
    main()
