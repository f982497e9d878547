"""Answers as JSON lines, the shape that scripts rely on (docs/client.md)."""

import json
from typing import Any

from google.protobuf import descriptor_pool, json_format, message

# Registers the messages that a google.rpc.Status carries, so that they can be written as JSON.
from google.rpc import error_details_pb2  # noqa: F401

from trilens.errors import explain
from trilens.v1 import analysis_pb2 as pb


def answered(name: str, response: pb.AnalyzeImageResponse) -> str:
    """An answered photo: `photo` and `response`, the message in protobuf's JSON mapping."""
    return _line({"photo": name, "response": as_json(response)})


def failed(name: str, error: Exception) -> str:
    """A photo without an answer: `photo` and `error`."""
    explanation = explain(error)
    shown: dict[str, Any] = {
        "code": explanation.code,
        "reason": explanation.reason,
        "message": explanation.message,
        "violations": [
            {"field": violation.field, "description": violation.description}
            for violation in explanation.violations
        ],
    }
    if explanation.features:
        shown["features"] = {
            end.feature: {"state": _name(end.state), "message": end.message}
            for end in explanation.features
        }
    if explanation.retry_after is not None:
        shown["retryAfterSeconds"] = explanation.retry_after.total_seconds()
    return _line({"photo": name, "error": shown})


def as_json(answer: message.Message) -> dict[str, Any]:
    """The message in protobuf's JSON mapping; zeros and empty lists are written out."""
    if isinstance(answer, pb.AnalyzeImageResponse):
        answer = _without_unknown_details(answer)
    return json_format.MessageToDict(answer, always_print_fields_with_no_presence=True)


def _without_unknown_details(response: pb.AnalyzeImageResponse) -> pb.AnalyzeImageResponse:
    known = pb.AnalyzeImageResponse()
    known.CopyFrom(response)
    for outcome in known.outcomes.values():
        details = [detail for detail in outcome.status.details if _is_known(detail.TypeName())]
        if outcome.HasField("status"):
            del outcome.status.details[:]
            outcome.status.details.extend(details)
    return known


def _name(state: pb.State) -> str | int:
    # as protobuf's JSON mapping has it: a number for a state that only a newer client knows
    return pb.State.Name(state) if state in pb.State.values() else state


def _is_known(type_name: str) -> bool:
    # A newer server may send details of a type that this client was made without.
    try:
        descriptor_pool.Default().FindMessageTypeByName(type_name)
    except KeyError:
        return False
    return True


def _line(content: dict[str, Any]) -> str:
    # sorted, since protobuf's maps have no order: the same answer is the same line
    return json.dumps(content, separators=(",", ":"), sort_keys=True)
