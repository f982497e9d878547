"""Around every call: the Call is built, a span begun, errors become statuses, one line logged."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import grpc
from google.rpc import status_pb2
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, get_current_span

from chassis.call import Call, Deadline, answering, call_from_metadata, valid_id
from chassis.doors import Context, Handler
from chassis.errors import Internal, InvalidRequest, TrilensError
from chassis.metrics import RPC_IN_FLIGHT, RPC_SECONDS
from chassis.telemetry import (
    ERROR_TYPE,
    LANE,
    OUTCOME,
    REQUEST_ID,
    RPC_CODE,
    RPC_METHOD,
    RPC_SYSTEM,
    below,
    exemplar,
    fail,
    tracer,
)
from chassis.unpacking import unpacking

logger = logging.getLogger("trilens.calls")

Behaviour = Callable[[Any, Context], Awaitable[Any]]

STATUS_KEY: Final = "grpc-status-details-bin"
_NOT_OURS: Final = ("/grpc.health.v1.", "/grpc.reflection.")
# Asked by every gateway of every pod, again and again: what belongs to no caller's call is neither
# traced nor logged, unless it fails otherwise than by coming too soon or too late.
_ASKED_AGAIN: Final = frozenset({"/trilens.v1.ModelService/GetModel"})
_EXPECTED: Final = frozenset({grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE})
_OUTCOMES: Final[Mapping[grpc.StatusCode, str]] = {
    grpc.StatusCode.OK: "ok",
    grpc.StatusCode.CANCELLED: "cancelled",
    grpc.StatusCode.DEADLINE_EXCEEDED: "timed_out",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "shed",
}
# Codes that are errors of a server's, as OpenTelemetry sees it; the others are its caller's affair.
_ERRORS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class Door(grpc.aio.ServerInterceptor):
    """The door of a gRPC server: no code behind it sees a ServicerContext for more than its type.

    OpenTelemetry's own gRPC instrumentation reports a cancelled call as one that went well
    (opentelemetry-python-contrib #2014, #3271), so spans are made here.
    """

    def __init__(
        self, default_deadline: float, max_deadline: float, *, quiet: bool = False
    ) -> None:
        """`quiet`: all calls here are asked again and again, too."""
        self._default_deadline = default_deadline
        self._max_deadline = max_deadline
        self._quiet = quiet
        self._behind: dict[str, Handler] = {}  # by method: made for the first call of each

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Puts the door before every unary method of ours."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or method.startswith(_NOT_OURS):
            return handler
        if method not in self._behind:
            self._behind[method] = self._before(handler, method)
        return self._behind[method]

    def _before(self, handler: "Handler", method: str) -> "Handler":
        unpack = handler.request_deserializer
        return grpc.unary_unary_rpc_method_handler(
            # The stubs know handlers of the blocking API only.
            self._around(cast("Behaviour", handler.unary_unary), method),
            request_deserializer=unpacking(unpack) if unpack else None,
            response_serializer=handler.response_serializer,
        )

    def _around(self, behaviour: Behaviour, method: str) -> Behaviour:
        in_flight = RPC_IN_FLIGHT.labels(method)

        async def answer(request: Any, context: Context) -> Any:
            began = time.monotonic()
            in_flight.inc()
            came = self._call(request, context)
            quiet = self._quiet or (method in _ASKED_AGAIN and not _traced(came))
            span = INVALID_SPAN if quiet else _begin(method, came)
            call = came.under(below(span, came.trace))
            code, why = grpc.StatusCode.OK, ""
            with answering(call):
                try:
                    return await behaviour(_readable(request), context)
                except asyncio.CancelledError:
                    code = _why_cancelled(call)
                    raise
                except grpc.aio.AbortError:
                    code = context.code()
                    raise
                except TrilensError as error:
                    code, why = error.code, _why(error)
                    await _abort(context, error.status(), code)
                except Exception:
                    code = grpc.StatusCode.INTERNAL
                    logger.exception("unhandled error in %s", method)
                    await _abort(context, Internal().status(), code)
                finally:
                    _end(span, code)
                    seconds = time.monotonic() - began
                    in_flight.dec()
                    RPC_SECONDS.labels(method, code.name).observe(seconds, exemplar(span))
                    level = logging.DEBUG if quiet and code in _EXPECTED else logging.INFO
                    logger.log(level, "%s %s in %.1f ms%s", method, code.name, seconds * 1e3, why)

        return answer

    def _call(self, request: Any, context: Context) -> Call:
        left = context.time_remaining()
        seconds = self._default_deadline if left is None else min(left, self._max_deadline)
        metadata = context.invocation_metadata() or ()
        call = call_from_metadata(metadata, Deadline.after(seconds), context.peer())
        # What the message says goes before what came beside it.
        own_id = valid_id(getattr(request, "request_id", ""))
        return replace(call, request_id=own_id) if own_id else call


def _readable(request: Any) -> Any:
    if isinstance(request, InvalidRequest):
        raise request
    return request


def _traced(call: Call) -> bool:
    return get_current_span(call.trace).get_span_context().is_valid


def _begin(method: str, call: Call) -> Span:
    name = method.lstrip("/")
    return tracer().start_span(
        name,
        call.trace,
        SpanKind.SERVER,
        {
            RPC_SYSTEM: "grpc",
            RPC_METHOD: name,
            REQUEST_ID: call.request_id,
            LANE: call.lane,
        },
    )


def _why(error: TrilensError) -> str:
    """For the log: why a call failed, but nothing of what its caller sent."""
    said = (
        error.reason if error.code is grpc.StatusCode.INVALID_ARGUMENT else error.status().message
    )
    return f": {said}"


def _why_cancelled(call: Call) -> grpc.StatusCode:
    """gRPC cancels a call's handler when its caller gives up, and when the caller's time is up."""
    if call.deadline.ran_out():
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED


def _end(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute(RPC_CODE, code.name)
    span.set_attribute(OUTCOME, _OUTCOMES.get(code, "failed"))
    if code in _ERRORS:
        span.set_attribute(ERROR_TYPE, code.name)
        fail(span, code.name)
    span.end()


async def _abort(context: Context, status: status_pb2.Status, code: grpc.StatusCode) -> None:
    details = ((STATUS_KEY, status.SerializeToString()),)
    try:
        await context.abort(code, status.message, details)
    except grpc.aio.InternalError:
        # The caller has gone, or its time is up: nobody is there to be told.
        raise asyncio.CancelledError from None
