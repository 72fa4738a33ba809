"""Traces, off unless DOORSTEP_OTLP_ENDPOINT is set: from the HTTP request through its events to the handlers in other
services (W3C trace context, in the envelope's traceparent). Spans name routes and types, never a person or an address.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_W3C = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None


def set_up_tracing(endpoint: str | None, service: str) -> None:
    """Send the spans of this process to an OTLP/HTTP collector, in batches. Nothing where there is no endpoint."""
    global _tracer
    if endpoint is None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": f"doorstep-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    _tracer = provider.get_tracer("doorstep")


def valid(traceparent: str | None) -> str | None:
    """A traceparent that others may continue; None for anything else, whoever sent it."""
    return traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None


class RequestSpan:
    """The span of a request: `traceparent` goes into its events, `end` tells the route and the status."""

    def __init__(self, service: str, method: str, incoming: str | None) -> None:
        self.traceparent = valid(incoming)
        self._method = method
        self._span: trace.Span | None = None
        if _tracer is not None:
            parent = _parent(self.traceparent)
            self._span = _tracer.start_span(method, parent, SpanKind.SERVER, {"doorstep.service": service})
            self.traceparent = _traceparent_of(self._span)

    def end(self, route: str, status: int) -> None:
        if self._span is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attributes({"http.route": route, "http.response.status_code": status})
            self._span.end()


@contextmanager
def handler_span(consumer: str, event_type: str, incoming: str | None) -> Iterator[str | None]:
    """The span of a handler of an event. Gives the traceparent for the events that the handler publishes."""
    if _tracer is None:
        yield incoming
        return
    attributes = {"doorstep.service": consumer, "messaging.system": "kafka", "doorstep.event_type": event_type}
    span = _tracer.start_span(f"handle {event_type}", _parent(valid(incoming)), SpanKind.CONSUMER, attributes)
    try:
        yield _traceparent_of(span)
    finally:
        span.end()


def _parent(traceparent: str | None) -> context.Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, context.Context())


def _traceparent_of(span: trace.Span) -> str | None:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, context.Context()))
    return carrier.get("traceparent")
