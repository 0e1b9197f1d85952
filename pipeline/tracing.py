"""One trace from a webhook to the provider's API, as W3C `traceparent`, with spans if OpenTelemetry is configured.

Set `OTEL_EXPORTER_OTLP_ENDPOINT` (and the other variables of OpenTelemetry) and install the extra `otel`. Without them
the trace id is still passed on, from the webhook's record to the call of the provider, but there are no spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pipeline import masking
from pipeline.errors import ConfigurationError

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_NAME: Final = "whatsapp-pipeline"
_HEADER: Final = "traceparent"
_FORMAT: Final = TraceContextTextMapPropagator()
_tracer: Tracer | None = None
_current: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def configure(environ: Mapping[str, str], tracer: Tracer | None = None) -> None:
    """Create spans from now on with `tracer`, or if the environment names an exporter.

    Raise `ConfigurationError` if it does and the SDK is not installed.
    """
    global _tracer  # noqa: PLW0603 (like the log, one of a process)
    _tracer = tracer or (_exporting() if any(environ.get(name) for name in ENDPOINTS) else None)


def _exporting() -> Tracer:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (an extra)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"{ENDPOINTS[1]} is set and OpenTelemetry's SDK is not installed: pip install 'whatsapp-pipeline[otel]', "
            "or unset it"
        ) from None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer(_NAME)


@contextmanager
def span(name: str, traceparent: str | None, kind: SpanKind, attributes: Mapping[str, str]) -> Iterator[str | None]:
    """Open a span in the trace `traceparent`; yield the traceparent for its children.

    An exception ends the span as failed. Attributes are ids, never texts of people; ids that contain a phone number
    are masked, as in logs.
    """
    if _tracer is None:
        with _carried(traceparent):
            yield traceparent
        return
    parent = _FORMAT.extract({_HEADER: traceparent} if traceparent else {})
    masks = masking.masker()
    shown = {each: str(masks.field(each, value)) for each, value in attributes.items()}
    begun = _tracer.start_span(name, parent, kind, shown)
    # the text of an exception may quote a user's text, so only its type is recorded
    with trace.use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        carrier: dict[str, str] = {}
        _FORMAT.inject(carrier)
        with _carried(carrier.get(_HEADER, traceparent)):
            try:
                yield carrier.get(_HEADER, traceparent)
            except BaseException as error:
                begun.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise


@contextmanager
def _carried(traceparent: str | None) -> Iterator[None]:
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str | None:
    """Return the traceparent of the current context, for outgoing calls."""
    return _current.get()
