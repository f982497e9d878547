"""What may be asked of a rollout."""

from pathlib import Path

import pytest

from rollout.orders import promote
from rollout.state import Phase
from rollout.wish import NotPossible, canaries, compared, going_on, steps
from tests.rollout.releases import begun


def test_canaries_come_from_the_command_and_from_a_values_file():
    file = {"models": {"captioner": {"canary": {"version": "2.0.0"}}, "detector": {"replicas": 2}}}

    assert canaries(["detector=1.1.0"], file) == {"captioner": "2.0.0", "detector": "1.1.0"}


@pytest.mark.parametrize("versions", [[], ["detector"], ["detector="], ["=1.0.0"]])
def test_a_canary_without_a_model_or_version_is_refused(versions: list[str]):
    with pytest.raises(NotPossible, match="MODEL=VERSION"):
        canaries(versions, {})


@pytest.mark.parametrize("text", ["", "5,5", "50,25", "0,10", "5,101", "five", "5,"])
def test_steps_that_are_no_rising_percents_are_refused(text: str):
    with pytest.raises(NotPossible, match="rise"):
        steps(text)


def test_steps_may_be_any_rising_percents():
    assert steps("1,10,100") == (1, 10, 100)


@pytest.mark.parametrize(
    ("weight", "left"),
    [
        (0, (5, 25, 50, 100)),
        (5, (5, 25, 50, 100)),
        (10, (10, 25, 50, 100)),
        (12.5, (13, 25, 50, 100)),
        (100, (100,)),
    ],
)
def test_from_a_weight_that_stands_steps_only_go_up(weight: float, left: tuple[int, ...]):
    assert going_on((5, 25, 50, 100), weight) == left


def test_a_file_that_is_no_comparison_is_refused(tmp_path: Path):
    file = tmp_path / "comparison.json"
    file.write_text('{"schema": 1}')

    with pytest.raises(NotPossible, match="comparison"):
        compared([file])


def test_a_bundle_is_promoted_from_the_weight_at_which_nobody_is_left_to_be_mixed():
    bundle = begun(canaries={"captioner": "2.0.0", "detector": "1.1.0"}, phase=Phase.STEPPING)

    with pytest.raises(NotPossible, match="100 %"):
        promote(bundle, here=True)

    assert promote(bundle, here=False).steps == (5, 100)
    assert promote(begun(phase=Phase.STEPPING), here=True).steps == (5,)
