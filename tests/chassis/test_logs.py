"""Log lines as a collector reads them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from chassis.call import Deadline, answering, call_from_metadata
from chassis.logs import JsonFormatter, configure_logging
from chassis.telemetry import below
from tests.harness import a_call

logger = logging.getLogger("trilens.tests")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    lines = logging.StreamHandler(stream)
    lines.setFormatter(JsonFormatter())
    logger.addHandler(lines)
    yield stream
    logger.removeHandler(lines)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_of_json(stream: io.StringIO) -> None:
    logger.warning("two\nlines and a %s", "“quote”")

    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "trilens.tests",
        "message": "two\nlines and a “quote”",
    }


def test_an_exception_is_in_the_line_with_its_traceback(stream: io.StringIO) -> None:
    try:
        {}["weights"]
    except KeyError:
        logger.exception("unhandled")

    (line,) = lines(stream)
    assert line["message"] == "unhandled"
    assert line["error"].startswith("Traceback")
    assert line["error"].endswith("KeyError: 'weights'")


def test_within_a_call_a_line_names_its_request_and_trace(stream: io.StringIO) -> None:
    span = NonRecordingSpan(
        SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    )
    call = a_call(request_id="mine")
    with answering(call.under(below(span, call.trace))):
        logger.warning("inside")
    logger.warning("outside")

    inside, outside = lines(stream)
    assert inside["request_id"] == "mine"
    assert int(inside["trace_id"], 16) == 0xABC
    assert int(inside["span_id"], 16) == 0xDEF
    assert "request_id" not in outside


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root logger, as it was when the test ends."""
    logger = logging.getLogger()
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)


@pytest.mark.usefixtures("root")
def test_what_callers_write_into_their_baggage_is_not_logged() -> None:
    stream = io.StringIO()
    configure_logging("INFO", stream)

    for baggage in ("secret", "secret=" + "x" * 5000, "sécret=1"):
        call_from_metadata((("baggage", baggage),), Deadline.after(5), "somebody")

    assert stream.getvalue() == ""


@pytest.mark.usefixtures("root")
def test_the_level_is_the_processs() -> None:
    stream = io.StringIO()

    configure_logging("WARNING", stream)
    logging.getLogger("other").info("quiet")
    logging.getLogger("other").warning("loud")

    assert [line["message"] for line in lines(stream)] == ["loud"]
