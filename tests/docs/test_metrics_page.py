"""The page of metrics names what is measured: nothing less, nothing more."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.docs import pages
from web.metrics import as_text

_LATENCY = {"counts": [1] * 16, "sum": 1.0}
_PROCESS = {
    "process": "web-1",
    "counts": {"opened:ws": 1},
    "gauges": {"sessions": 1, "behind": 0},
    "latencies": {"emit_to_socket": _LATENCY},
    "requests": [["/", "GET", 200, 1]],
    "request_seconds": {"/": _LATENCY},
}


def test_every_metric_is_in_the_reference() -> None:
    """An operator would look for a metric that is not there, or never learn of one."""
    text = as_text([_PROCESS], {"backlog": 1, "queues": {"q": 1}, "relays": 1, "stored": 1, "dropped": 0}).decode()
    real = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation)
        for family in text_string_to_metric_families(text)
    }
    sections = pages.sections(pages.page("reference/metrics.md"), 2)
    rows = [*pages.rows(sections["Feeds"]), *pages.rows(sections["Requests and the record"])]
    assert {(name, kind, meaning) for name, kind, _, meaning in rows} == real
