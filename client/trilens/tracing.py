"""Passes the caller's trace on, where OpenTelemetry is installed and a span is active."""

from collections.abc import Callable
from functools import cache


def metadata() -> tuple[tuple[str, str], ...]:
    """gRPC metadata with the current trace context (`traceparent` and kin); empty without one."""
    inject = _injector()
    if inject is None:
        return ()
    carrier: dict[str, str] = {}
    inject(carrier)
    return tuple((key.lower(), value) for key, value in carrier.items())


@cache
def _injector() -> Callable[[dict[str, str]], None] | None:
    try:
        from opentelemetry import propagate
    except ImportError:
        return None
    return propagate.inject
