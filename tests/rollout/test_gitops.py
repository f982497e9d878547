"""A rollout where a repository says what runs: the file goes ahead, the cluster follows."""

from dataclasses import replace
from pathlib import Path

import yaml

from gateway.release_document import ReleaseDocument
from rollout.actions import Action, Enter, Rest, Wait
from rollout.decide import decide
from rollout.gitops import FileHands
from rollout.observed import Gateway, Observed, Pods, Release
from rollout.state import Phase, State, read
from rollout.store import FileStore
from tests.rollout.releases import PASSED, begun

STEPS = ("5 %", "25 %", "50 %", "100 %")


def rendered(file: Path) -> Observed:
    """What is seen once somebody has committed the file, and the cluster has followed."""
    values = yaml.safe_load(file.read_text()) if file.exists() else {}
    detector = values.get("models", {}).get("detector", {})
    canary = detector.get("canary", {}).get("version", "")
    weights = values.get("canary", {"weight": 0, "shadow": 0})
    stable = detector.get("version", "1.0.0")
    document = ReleaseDocument.model_validate(
        {
            "schema": 1,
            "revision": 1,
            **weights,
            "stable": {"objects": {"version": stable}},
            "canary": {"objects": {"version": canary, "target": "dns:///c:1"}} if canary else {},
        }
    )
    canaries = {"detector": canary} if canary else {}
    return Observed(
        release=Release(document, "uid", "1", canaries, {"detector": stable}),
        stable={"detector": Pods(2, 2, settled=True)},
        canary={"detector": Pods(1, 1, settled=True)} if canary else {},
        gateways=(Gateway("one", "", document.weight),),
        verdict=PASSED,
    )


def go(state: State, file: Path) -> tuple[State, list[Action]]:
    hands, decided = FileHands(file), []
    while True:
        seen = rendered(file)
        action = decide(state, seen)
        decided.append(action)
        if isinstance(action, Rest | Wait):
            return state, decided
        if isinstance(action, Enter):
            state = action.state
        else:
            assert hands.do(action, state, seen)


def test_the_file_names_each_weight_and_in_the_end_the_new_version(tmp_path: Path):
    file = tmp_path / "rollout.yaml"

    state, decided = go(begun(before=0, document=1, shadow=10.0), file)

    assert state.phase is Phase.PROMOTED
    assert yaml.safe_load(file.read_text()) == {
        "models": {"detector": {"version": "1.1.0"}},
        "canary": {"weight": 0, "shadow": 0},
    }
    asked = [action.why for action in decided if not isinstance(action, Enter | Rest)]
    assert [step for step in STEPS if any(step in why for why in asked)] == list(STEPS)


def test_an_abort_takes_the_canary_out_of_the_file(tmp_path: Path):
    file = tmp_path / "rollout.yaml"
    state, _ = go(begun(before=0, document=1, automatic=False), file)
    assert "canary" in yaml.safe_load(file.read_text())["models"]["detector"]

    state, _ = go(replace(state, ordered="anna"), file)

    assert state.phase is Phase.ABORTED
    assert "canary" not in yaml.safe_load(file.read_text())["models"]["detector"]


def test_a_file_that_says_so_already_is_left_alone(tmp_path: Path):
    file = tmp_path / "rollout.yaml"
    state, before = begun(before=0), rendered(file)
    action = decide(state, before)
    hands = FileHands(file)

    assert hands.do(action, state, before)
    assert not hands.do(action, state, before)


def test_what_others_wrote_into_the_file_stays(tmp_path: Path):
    file = tmp_path / "rollout.yaml"
    file.write_text("models: {detector: {replicas: 7}}\n")

    go(begun(before=0, document=1), file)

    assert yaml.safe_load(file.read_text())["models"]["detector"]["replicas"] == 7


def test_the_state_beside_the_file_is_what_a_killed_rollout_goes_on_with(tmp_path: Path):
    store = FileStore(tmp_path / "state.json")
    assert store.read() is None

    store.write(begun(step=2))

    again = FileStore(tmp_path / "state.json").read()
    assert again == read(begun(step=2, started=again.started).text())
