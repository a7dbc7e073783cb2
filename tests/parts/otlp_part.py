"""A private OTLP endpoint that keeps the spans it is sent."""

from __future__ import annotations

import dataclasses
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclasses.dataclass(frozen=True)
class ExportedSpan:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]


class OtlpPart:
    """The endpoint; set OTEL_EXPORTER_OTLP_ENDPOINT to its `url`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[str, ExportedSpan] = {}
        self.received = b""
        """Every byte that was sent, unpacked."""
        part = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                part._keep(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        with self._lock:
            self.received += request.SerializeToString()
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = ExportedSpan(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.code == 2,
                        {a.key: a.value.string_value or a.value.int_value for a in span.attributes},
                    )
                    with self._lock:
                        assert found.span_id not in self._spans, f"{span.name} was exported twice"
                        self._spans[found.span_id] = found

    def spans(self, trace_id: str) -> dict[str, ExportedSpan]:
        """The spans of a trace, by span id."""
        with self._lock:
            return {key: span for key, span in self._spans.items() if span.trace_id == trace_id}

    def close(self) -> None:
        """Ends the endpoint."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
