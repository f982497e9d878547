from dataclasses import replace

from rollout.judge import (
    Count,
    Observation,
    Outcome,
    Pairs,
    Plan,
    Record,
    Times,
    Tracks,
    gather,
    judge,
)
from rollout.judge.expected import Comparison, bounded
from rollout.judge.plan import ERRORS

OBJECTS = Comparison(
    feature="objects",
    stable="1.0.0",
    canary="1.1.0",
    photos=1000,
    doubt=0.002,
    aspects=bounded(
        {"boxes": Count(1000, 50), "label:dog": Count(200, 10), "label:toaster": Count(3, 0)}
    ),
)
PLAN = Plan(features=("objects",), comparisons=(OBJECTS,), probes={"objects": 200})
EDGES = (0.1, 0.2, float("inf"))


def look(
    *,
    calls: int = 1000,
    failed: int = 0,
    slow: int = 20,
    boxes: int = 10,
    dogs: int = 2,
    lost: int = 0,
) -> Observation:
    """200 photos compared and 200 probes asked in every look."""
    stable = Count(calls * 9, 9)
    return Observation(
        errors={
            ("objects", kind): Tracks(Count(calls, failed if kind == "failed" else 0), stable)
            for kind in ERRORS
        },
        times={"objects": Times(EDGES, (calls - slow, slow, 0), (calls * 9 - 180, 170, 10))},
        partial=Tracks(Count(calls, failed), stable),
        agreement={
            ("objects", "boxes"): Count(200, boxes),
            ("objects", "label:dog"): Count(40, dogs),
        },
        probes={"objects": Pairs(200, lost, 1)},
    )


def verdict(*looks: Observation, plan: Plan = PLAN):
    record = Record()
    for one in looks:
        record = gather(plan, record, one)
    return judge(plan, record)


def test_without_any_figures_a_canary_is_held():
    held = verdict()

    assert held.outcome is Outcome.HOLD
    assert "errors objects failed: no calls of the canary counted yet" in held.missing


def test_a_canary_as_good_as_expected_passes():
    assert verdict(*[look()] * 12).outcome is Outcome.PASS


def test_a_few_calls_are_not_enough_to_pass():
    assert verdict(*[look(calls=10, slow=0)] * 3).outcome is Outcome.HOLD


def test_what_could_not_be_read_holds_a_canary_that_would_pass():
    seen = Observation(missing=("gateway-2 does not answer",))

    held = verdict(*[look()] * 12, seen)

    assert held.outcome is Outcome.HOLD
    assert "gateway-2 does not answer" in held.words


def test_failing_calls_fail_with_figures_and_odds():
    failed = verdict(*[look(failed=50)] * 5)

    assert failed.outcome is Outcome.FAIL
    assert failed.words == (
        "errors objects failed: failed: canary 250 of 5000 (5 %) calls, stable 45 of 45000 (0.1 %);"
        " on a canary as good as stated, evidence as strong as this is seen at most once in"
        " 1,000,000 rollouts"
    )


def test_no_single_look_decides():
    assert verdict(look(failed=900, boxes=200, dogs=40)).outcome is Outcome.HOLD


def test_a_slow_canary_fails():
    failed = verdict(*[look(slow=400)] * 8)

    assert failed.outcome is Outcome.FAIL
    assert failed.signals[0].name == "latency objects p95"


def test_a_broken_class_fails_though_the_other_aspects_are_as_expected():
    failed = verdict(*[look(dogs=38)] * 4)

    assert failed.outcome is Outcome.FAIL
    assert "label:dog" in failed.words


def test_probes_that_only_the_stable_track_answers_rightly_fail():
    assert verdict(*[look(lost=20)] * 2).outcome is Outcome.FAIL


def test_a_feature_that_nothing_was_compared_for_is_held():
    plan = Plan(features=("objects",), probes={"objects": 200})

    held = verdict(*[look()] * 12, plan=plan)

    assert held.missing == ("no comparison of objects: run `python -m rollout compare`",)


def test_labels_too_rare_to_be_judged_are_named():
    passed = verdict(*[look()] * 12)

    assert passed.unjudged == ("agreement objects label:toaster (3 photos offline)",)


def test_probes_that_are_too_few_to_tell_anything_are_named():
    plan = replace(PLAN, probes={"objects": 11})

    found = verdict(*[look()] * 12, plan=plan).unjudged

    assert "accuracy objects (11 probes: too few to fail it)" in found
    assert "accuracy objects" not in " ".join(verdict(*[look()] * 12).unjudged)


def test_what_depends_on_load_starts_anew_with_a_step_and_the_rest_goes_on():
    record = Record()
    for _ in range(12):
        record = gather(PLAN, record, look())

    held = judge(PLAN, record.next_step(PLAN))

    assert held.outcome is Outcome.HOLD
    assert {one.split()[0].strip(":") for one in held.missing} == {
        "errors",
        "latency",
        "completeness",
    }


def test_with_all_calls_on_the_canary_it_is_held_against_the_stable_tracks_earlier_ones():
    record = Record()
    for _ in range(12):
        record = gather(PLAN, record, look())
    record = record.next_step(PLAN)
    for _ in range(4):
        seen = look(failed=60)
        alone = {key: Tracks(both.canary) for key, both in seen.errors.items()}
        record = gather(PLAN, record, Observation(errors=alone))

    assert judge(PLAN, record).outcome is Outcome.FAIL


def test_a_record_survives_being_written_down():
    record = gather(PLAN, Record(), look())
    endless = Observation(times={"objects": Times(EDGES, (0, 0, 9), (0, 0, 5000))})
    record = gather(PLAN, record.next_step(PLAN), endless)

    assert Record.model_validate_json(record.model_dump_json()) == record
