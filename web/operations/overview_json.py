"""The overview as JSON: tiles, stages, series over time and the heat map. No Flask."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.bus.runs import unix_ns
from pipeline.event import Category, Event, Priority, Status
from pipeline.store.duration_classes import BOUNDS_MS, percentile_ms
from pipeline.store.events import Filters
from pipeline.store.moments import timestamp_text
from pipeline.store.overview import Kind, Range
from web.feed.history import wanted
from web.operations.feed_lag import SHARES

SERIES_LIMIT = 30
_BEGINNING = Event(0, None, "message_received", Status.STARTED, Category.WORKFLOW, Priority.NORMAL, None, b"")


def overview_json(asked: Range, filters: Filters, kinds: Sequence[Kind], gauges: Mapping[str, Any]) -> dict[str, Any]:
    """All of it. `kinds` come most frequent first."""
    shown = kinds[:SERIES_LIMIT]
    return {
        "from": timestamp_text(asked.from_id),
        "to": timestamp_text(asked.start_id(asked.buckets)),
        "bucket_seconds": asked.bucket_seconds,
        "rolled_up_seconds": asked.step_seconds,
        "times": [unix_ns(asked.start_id(index)) // 1_000_000 for index in range(asked.buckets)],
        "tiles": {**_tiles(asked, filters, kinds), **gauges},
        "stages": [_stage(kind) for kind in kinds],
        "series": {
            "volume": {kind.event_type: _filled(kind.volume, asked) for kind in shown},
            "errors": {kind.event_type: _filled(kind.errors, asked) for kind in shown if kind.failed},
            "latency": {kind.event_type: _latency(kind, asked) for kind in shown if kind.timed},
        },
        "heat_map": {"bounds_ms": BOUNDS_MS, "counts": _heat(kinds)},
    }


def _tiles(asked: Range, filters: Filters, kinds: Sequence[Kind]) -> dict[str, Any]:
    seconds = asked.buckets * asked.bucket_seconds
    events, completed, failed = (
        sum(getattr(kind, name) for kind in kinds) for name in ("events", "completed", "failed")
    )
    runs = None
    if wanted(filters)(_BEGINNING):
        runs = sum(kind.started for kind in kinds if kind.event_type == _BEGINNING.event_type)
    return {
        "events": events,
        "events_per_second": round(events / seconds, 3),
        "runs": runs,
        "runs_per_minute": None if runs is None else round(runs * 60 / seconds, 3),
        "failures": failed,
        "error_share": _share(failed, completed),
    }


def _share(failed: int, completed: int) -> float | None:
    return round(failed / (failed + completed), 5) if failed + completed else None


def _stage(kind: Kind) -> dict[str, Any]:
    return {
        "event_type": kind.event_type,
        "category": kind.category,
        "events": kind.events,
        "completed": kind.completed,
        "failed": kind.failed,
        "error_share": _share(kind.failed, kind.completed),
        "timed": kind.timed,
        "mean_ms": round(kind.total_ms / kind.timed, 1) if kind.timed else None,
        **{f"{name}_ms": found for name, found in _percentiles(_together(kind.classes.values())).items()},
    }


def _percentiles(counts: Mapping[int, int]) -> dict[str, float | None]:
    return {name: percentile_ms(counts, share) for name, share in SHARES.items()}


def _together(classes: Iterable[Mapping[int, int]]) -> dict[int, int]:
    found: collections.Counter[int] = collections.Counter()
    for one in classes:
        found.update(one)
    return found


def _filled(counts: Mapping[int, int], asked: Range) -> list[int]:
    return [counts.get(index, 0) for index in range(asked.buckets)]


def _latency(kind: Kind, asked: Range) -> dict[str, list[float | None]]:
    found = [_percentiles(kind.classes.get(index, {})) for index in range(asked.buckets)]
    return {name: [one[name] for one in found] for name in SHARES}


def _heat(kinds: Sequence[Kind]) -> list[tuple[int, int, int]]:
    """Bucket, class and events, of all types together."""
    found: collections.Counter[tuple[int, int]] = collections.Counter()
    for kind in kinds:
        for index, classes in kind.classes.items():
            for number, count in classes.items():
                found[index, number] += count
    return sorted((*place, count) for place, count in found.items())
