"""Errors are explained in words a person can act on."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.client.fakes import FakeGateway, Refusal, partial_answer, serving, status
from trilens import Client, Violation, explain
from trilens.v1 import analysis_pb2, analysis_pb2_grpc, image_pb2


def refused_with(refusal: Refusal) -> grpc.RpcError:
    def answer(request):
        raise refusal

    with (
        serving(FakeGateway(answer)) as server,
        Client(server) as client,
        pytest.raises(grpc.RpcError) as failure,
    ):
        client.analyze(b"photo")
    return failure.value


def test_every_violation_of_a_refused_request_is_named():
    bad_request = error_details_pb2.BadRequest()
    bad_request.field_violations.add(field="image.content", description="not a photo")
    bad_request.field_violations.add(field="features[0].feature", description="unknown")
    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "image.content: not a photo; features[0].feature: unknown",
        "INVALID_REQUEST",
        [bad_request],
    )

    explanation = explain(refused_with(refusal))

    assert explanation.code == "INVALID_ARGUMENT"
    assert explanation.reason == "INVALID_REQUEST"
    assert explanation.violations == (
        Violation("image.content", "not a photo"),
        Violation("features[0].feature", "unknown"),
    )
    assert "features[0].feature: unknown" in str(explanation)


def test_a_full_server_says_when_to_try_again():
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(250)
    refusal = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full", "QUEUE_FULL", [retry])

    explanation = explain(refused_with(refusal))

    assert explanation.retry_after == timedelta(seconds=0.25)
    assert str(explanation) == "too much at once: queue full; try again in 0.25 s"


def test_a_message_that_grpc_does_not_carry_is_called_too_large():
    request = analysis_pb2.AnalyzeImageRequest(image=image_pb2.Image(content=bytes(2000)))
    limit = (("grpc.max_send_message_length", 1000),)
    with serving(FakeGateway()) as server, grpc.insecure_channel(server, limit) as channel:
        stub = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.AnalyzeImage(request, timeout=10)

    explanation = explain(refused.value)

    assert explanation.reason == "TOO_LARGE"
    assert str(explanation).startswith("the message is too large; send fewer or smaller photos")


def test_a_call_that_failed_for_its_features_tells_of_each():
    states = partial_answer()
    refusal = Refusal(
        grpc.StatusCode.DEADLINE_EXCEEDED, "captions: too late", "ANALYSIS_FAILED", [states]
    )

    features = explain(refused_with(refusal)).features

    assert [end.feature for end in features] == ["attributes", "captions", "objects"]
    assert features[1].state == analysis_pb2.STATE_TIMED_OUT
    assert features[1].message == "no answer within 1 s"


def test_an_error_without_details_is_explained_by_its_code():
    explanation = explain(refused_with(Refusal(grpc.StatusCode.INTERNAL, "internal error")))

    assert (explanation.code, explanation.reason) == ("INTERNAL", "")
    assert str(explanation) == "the server failed: internal error"


def test_a_server_that_is_loading_is_told_from_one_that_is_not_there():
    loading = Refusal(grpc.StatusCode.UNAVAILABLE, "objects 1.0.0 is loading", "NOT_READY")
    with Client("127.0.0.1:1") as client, pytest.raises(grpc.RpcError) as nobody:
        client.analyze(b"photo", timeout=5)

    assert explain(refused_with(loading)).reason == "NOT_READY"
    assert explain(nobody.value).reason == "UNREACHABLE"
    assert str(explain(nobody.value)).startswith("cannot reach the server")


def test_the_status_of_a_feature_is_explained_alike():
    explanation = explain(status("DEADLINE_EXCEEDED", "no answer within 1 s", "DEADLINE_EXCEEDED"))

    assert str(explanation) == "the answer did not come in time: no answer within 1 s"


def test_a_code_of_a_newer_server_is_shown_as_it_is():
    assert str(explain(status_pb2.Status(code=99, message="?"))) == "the call failed (99): ?"


def test_an_unreadable_file_is_no_riddle():
    assert str(explain(FileNotFoundError(2, "No such file or directory", "x.jpg"))) == (
        "cannot read the photo: No such file or directory"
    )
