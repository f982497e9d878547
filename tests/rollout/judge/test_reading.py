"""From real metrics, written by the gateway's own table, to an observation."""

import pytest
from prometheus_client import generate_latest

from chassis import metrics
from rollout.judge.counters import Counters, Scrape, read_samples
from rollout.judge.observation import Count, Observation, Tracks
from rollout.judge.reading import observe


@pytest.fixture(autouse=True)
def nothing_counted_before():
    counted = (metrics.FEATURE_SECONDS, metrics.ANSWERS, metrics.RPC_SECONDS)
    for one in counted:
        one.clear()
    yield
    for one in counted:
        one.clear()


def page(**labels: str) -> Scrape:
    return Scrape("pod", read_samples(generate_latest(metrics.REGISTRY).decode()), labels)


def seen(count, **labels: str) -> Observation:
    """What is counted between two looks."""
    counters, _ = Counters(at=0).look([page(**labels)], now=1)
    count()
    _, increases = counters.look([page(**labels)], now=2)
    return observe(increases)


def feature(lane: str, outcome: str, seconds: float, times: int) -> None:
    for _ in range(times):
        metrics.FEATURE_SECONDS.labels("objects", "1.0.0", lane, outcome).observe(seconds)


def test_outcomes_are_counted_by_lane_and_what_was_not_tried_is_no_call():
    def count() -> None:
        feature("stable", "ok", 0.1, 9)
        feature("canary", "ok", 0.1, 3)
        feature("canary", "failed", 0.1, 2)
        feature("canary", "skipped", 0.0, 5)

    errors = seen(count).errors

    assert errors["objects", "failed"] == Tracks(Count(5, 2), Count(9, 0))
    assert errors["objects", "timed_out"] == Tracks(Count(5, 0), Count(9, 0))


def test_times_are_of_answers_alone_and_not_cumulative():
    def count() -> None:
        feature("stable", "ok", 0.12, 4)
        feature("canary", "ok", 0.4, 3)
        feature("canary", "timed_out", 5.0, 2)

    times = seen(count).times["objects"]

    assert times.above(0.15) == Tracks(Count(3, 3), Count(4, 0))
    assert times.above(0.5) == Tracks(Count(3, 0), Count(4, 0))


def test_photos_that_were_not_answered_in_full_are_counted_by_lane():
    def count() -> None:
        metrics.ANSWERS.labels("full", "canary").inc(5)
        metrics.ANSWERS.labels("partial", "canary").inc(2)
        metrics.ANSWERS.labels("failed", "stable").inc(1)

    assert seen(count).partial == Tracks(Count(7, 2), Count(1, 1))


def test_photos_that_a_gateway_gave_up_before_any_model_was_asked_say_nothing_of_one():
    def count() -> None:
        for end in ("full", "shed", "late"):
            metrics.ANSWERS.labels(end, "canary").inc()

    assert seen(count).partial == Tracks(Count(1, 0), Count())


def test_codes_of_a_models_pods_are_counted_by_the_track_their_reader_knows():
    def count() -> None:
        for code in ("OK", "OK", "INTERNAL", "RESOURCE_EXHAUSTED"):
            method = "/trilens.v1.DetectorService/DetectObjects"
            metrics.RPC_SECONDS.labels(method, code).observe(0.1)
        metrics.RPC_SECONDS.labels("/trilens.v1.ModelService/GetModel", "OK").observe(0.1)

    errors = seen(count, feature="objects", track="canary").errors

    assert errors["objects", "INTERNAL"] == Tracks(Count(4, 1), Count())


def test_without_increases_nothing_was_seen():
    assert observe({}) == Observation()
