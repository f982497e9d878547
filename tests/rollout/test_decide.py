"""What a rollout does next, from wherever it is found."""

from dataclasses import replace

import pytest

from rollout.actions import Enter, Rest, Rollback, Scale, Stop, Sweep, Upgrade, Values, Wait, Weigh
from rollout.decide import decide
from rollout.observed import Gateway
from rollout.state import Phase, read
from tests.rollout.releases import BEFORE, FAILED, HELD, PaperRelease, begun, go


def weights(decided: list[object]) -> list[float]:
    return [one.weight for one in decided if isinstance(one, Weigh)]


def test_a_good_canary_climbs_every_step_and_becomes_the_stable_version():
    release = PaperRelease()

    state, decided = go(begun(), release)

    assert state.phase is Phase.PROMOTED
    assert weights(decided) == [5, 25, 50, 100, 0]
    assert release.revisions[release.live] == ({"detector": "1.1.0"}, {}, 0.0)
    assert release.overlay is None


def test_pods_come_before_the_weight_that_needs_them():
    _, decided = go(begun(), PaperRelease(replicas=8), 100)

    steps = [
        (one.replicas if isinstance(one, Scale) else f"{one.weight:g} %")
        for one in decided
        if isinstance(one, Scale | Weigh)
    ]
    assert steps == ["5 %", 2, "25 %", 4, "50 %", 8, "100 %", "0 %"]


def test_a_canary_that_fails_is_rolled_back_to_the_revision_before_it():
    release = PaperRelease()
    state, _ = go(begun(), replace_verdict(release, HELD))
    release.verdict = FAILED

    state, decided = go(state, release)

    assert state.phase is Phase.ABORTED
    assert "errors objects failed" in state.reason
    # Everyone is sent back before Helm is even started.
    kinds = [type(one) for one in decided]
    assert kinds.index(Weigh) < kinds.index(Rollback)
    assert [one.revision for one in decided if isinstance(one, Rollback)] == [BEFORE]
    assert release.live == BEFORE


def test_without_data_it_holds_and_says_what_it_waits_for():
    for verdict in (HELD, None):
        state, decided = go(begun(), PaperRelease(verdict=verdict))

        assert state.phase is Phase.STEPPING
        assert isinstance(decided[-1], Wait)
        assert decided[-1].held


def test_gateways_that_cannot_be_read_are_waited_for_in_the_words_of_what_is_in_the_way():
    release = PaperRelease()
    state, _ = go(begun(), replace_verdict(release, HELD))
    blocked = Gateway("g1", problem="g1: dial tcp 10.0.0.7:9090: i/o timeout")

    waiting = decide(state, replace(release.look(), gateways=(blocked,)))

    assert isinstance(waiting, Wait)
    assert waiting.why == (
        "1 of 1 gateways have not taken 5 % yet, 1 cannot be read: "
        "g1: dial tcp 10.0.0.7:9090: i/o timeout"
    )


def test_without_a_free_gpu_it_holds_in_kubernetes_own_words():
    state, decided = go(begun(), PaperRelease(gpus=4))

    assert isinstance(decided[-1], Wait)
    assert decided[-1].held
    assert "Insufficient nvidia.com/gpu" in decided[-1].why
    assert not weights(decided)
    assert state.phase is Phase.STEPPING


def test_where_it_may_it_takes_the_gpu_of_one_stable_pod_and_never_of_a_second():
    release = PaperRelease(gpus=2, replicas=2, take_from_stable=True)

    state, decided = go(begun(full={"detector": 2}), release)

    assert state.phase is Phase.PROMOTED
    assert release.least_stable == 1
    assert weights(decided) == [5, 25, 50, 100, 0]


def test_the_only_stable_pod_is_never_taken():
    release = PaperRelease(gpus=1, replicas=1, take_from_stable=True)

    _, decided = go(begun(full={"detector": 1}), release)

    assert isinstance(decided[-1], Wait)
    assert release.least_stable == 1


def test_more_canary_pods_than_allowed_are_not_started():
    release = PaperRelease(max_extra=2)

    _, decided = go(begun(), release)

    assert release.canary == 2
    assert weights(decided) == [5, 25, 50]
    assert "maxExtra" in decided[-1].why


def test_by_hand_it_rests_after_each_step():
    release = PaperRelease(verdict=None)
    state = begun(automatic=False)

    for weight in (5, 25, 50, 100):
        state, decided = go(state, release)
        assert isinstance(decided[-1], Rest)
        assert release.look().weight == weight
        state = replace(state, approved=True)

    assert go(state, release)[0].phase is Phase.PROMOTED


def test_a_rollback_by_helm_alone_ends_the_rollout():
    release = PaperRelease(verdict=HELD)
    state, _ = go(begun(), release)

    release.do(Rollback(BEFORE))

    assert go(state, release)[0].phase is Phase.ABORTED
    assert release.look().weight == 0


def test_an_upgrade_by_somebody_else_stops_it_and_that_revisions_own_weight_counts():
    release = PaperRelease(verdict=HELD)
    state, _ = go(begun(), release)

    release.do(Upgrade(Values.CANARY, weight=10))

    assert isinstance(go(state, release)[1][-1], Stop)
    assert release.look().weight == 10


def test_an_order_to_abort_is_followed_in_every_phase():
    for actions in range(1, 30):
        release = PaperRelease()
        state, _ = go(begun(), release, actions)
        if state.over:
            break

        state, _ = go(replace(state, ordered="anna"), release)

        assert state.phase is Phase.ABORTED
        assert release.live == BEFORE, actions
        assert "anna" in state.reason


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_killed_after_any_action_it_ends_as_if_it_had_not_been(verdict):
    """Nothing is remembered but the state, and that may be one action behind."""
    for actions in range(1, 40):
        release = PaperRelease()
        state, _ = go(begun(), release, actions)
        # Killed after the action and before its effect could be noted.
        action = decide(state, release.look())
        if not isinstance(action, Enter | Rest | Stop | Wait):
            release.do(action)
        if verdict == "failed":
            release.verdict = FAILED

        state, _ = go(read(state.text()), release)

        assert state.phase in (Phase.PROMOTED, Phase.ABORTED)
        if state.phase is Phase.ABORTED:
            assert release.live == BEFORE
        assert not release.look().release.canaries
        assert release.overlay is None


def test_killed_inside_helm_it_goes_back_and_tries_again():
    for actions in range(1, 40):
        release = PaperRelease()
        state, _ = go(begun(), release, actions)
        action = decide(state, release.look())
        if not isinstance(action, Upgrade | Rollback):
            continue
        # Helm wrote its record, and nothing or all of the rest.
        for applied in (False, True):
            release = PaperRelease()
            state, _ = go(begun(), release, actions)
            if applied:
                release.do(action)
            else:
                release.number += 1
            release.status = "pending-upgrade"

            ended, decided = go(read(state.text()), release)

            assert any(isinstance(one, Rollback) for one in decided)
            assert ended.phase is Phase.PROMOTED
            assert release.status == "deployed"


def test_killed_inside_helms_rollback_an_abort_leaves_no_canary_behind():
    release = PaperRelease(verdict=HELD)
    state, _ = go(begun(), release)
    state, decided = go(replace(state, ordered="anna"), release, 2)
    assert isinstance(decided[-1], Weigh)
    release.number += 1
    release.revisions[release.number] = release.revisions[BEFORE]
    release.status = "pending-rollback"

    state, decided = go(state, release)

    assert state.phase is Phase.ABORTED
    assert Sweep() in decided
    assert not release.look().canary


def test_a_living_helm_is_waited_for():
    release = PaperRelease()
    seen = release.look()
    pending = replace(seen.helm, status="pending-upgrade", stuck=False)

    assert isinstance(decide(begun(), replace(seen, helm=pending)), Wait)


def test_an_overlay_that_became_void_is_laid_anew():
    release = PaperRelease(verdict=HELD)
    state, _ = go(begun(), release)
    assert release.look().weight == 5

    release.writes += 1  # somebody wrote a label to the release document
    assert release.look().weight == 0

    go(state, release)
    assert release.look().weight == 5


def replace_verdict(release: PaperRelease, verdict: object) -> PaperRelease:
    release.verdict = verdict
    return release


def test_a_weight_that_others_set_stands_only_once_there_are_pods_for_it():
    release = PaperRelease(gpus=4)
    release.revisions[BEFORE] = ({"detector": "1.0.0"}, {"detector": "1.1.0"}, 10.0)
    state = begun(phase=Phase.STEPPING, revision=BEFORE, steps=(10, 100), automatic=False)

    assert isinstance(decide(state, release.look()), Scale)
    release.canary = 1
    waiting = decide(state, release.look())

    assert isinstance(waiting, Wait)
    assert "Insufficient nvidia.com/gpu" in waiting.why
