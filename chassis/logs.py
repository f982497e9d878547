"""Logs: one JSON object a line on standard error, with the trace and request they belong to."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from opentelemetry import trace

from chassis.call import current_call


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """time, level, logger and message; request, trace and error where there are any."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_call(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, stream: TextIO = sys.stderr) -> None:
    """Sends every log record of this process, at that level and above, to the stream."""
    lines = logging.StreamHandler(stream)
    lines.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[lines], force=True)
    # It warns of every odd entry in callers' baggage, by its words: those are not for the log.
    logging.getLogger("opentelemetry.baggage").setLevel(logging.ERROR)


def _call() -> dict[str, str]:
    try:
        call = current_call()
    except LookupError:
        return {}
    found = {"request_id": call.request_id}
    context = trace.get_current_span(call.trace).get_span_context()
    if context.is_valid:
        found["trace_id"] = trace.format_trace_id(context.trace_id)
        found["span_id"] = trace.format_span_id(context.span_id)
    return found
