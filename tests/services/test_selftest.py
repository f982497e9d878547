"""The golden self-test: values, not 'no crash'."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis.images import Pixels
from services.detector.model import Detection, Detections
from services.model import ModelError
from services.packages import InvalidPackage, open_package, write_manifest
from services.selftest import check
from tests.fakes import PHOTO, SOMEWHERE, FakeModel

RIGHT = Detections((Detection("dog", 0.9, SOMEWHERE), Detection("cat", 0.2, SOMEWHERE)))
DOG, CAT = RIGHT.boxes


class AnswerModel(FakeModel):
    """A model of a package on disk that answers by batch."""

    def __init__(self, folder: Path, answer: Callable[[int], Sequence[Any]]) -> None:
        super().__init__()
        self.package = open_package(folder)
        self._answer = answer

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        super().predict(batch)
        return tuple(self._answer(len(batch)))


def same(prediction: Any) -> Callable[[int], Sequence[Any]]:
    return lambda size: [prediction] * size


def sizes(model: FakeModel) -> list[int]:
    return [len(batch) for batch in model.batches]


def test_every_batch_size_is_warmed_once(folder: Path) -> None:
    model = AnswerModel(folder, same(RIGHT))

    check(model)

    assert sizes(model) == list(model.package.manifest.batch_sizes)


def test_every_case_is_compared_even_if_there_are_more_than_batches(folder: Path) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    (case,) = fields["golden"]["cases"]
    cases = []
    for number in range(5):
        name = f"golden/{number}.png"
        (folder / name).write_bytes(PHOTO.read_bytes())
        cases.append(case | {"photo": name})
    write_manifest(folder, fields | {"golden": {"cases": cases}, "batch_sizes": [1, 2]})
    model = AnswerModel(folder, same(RIGHT))

    check(model)

    assert sizes(model) == [1, 2, 2]
    assert len({id(photo) for photo in model.seen}) == 5


@pytest.mark.parametrize(
    "prediction",
    [RIGHT, Detections((replace(DOG, score=0.9005), CAT))],
    ids=["equal", "within the tolerance"],
)
def test_the_right_answers_pass(prediction: Detections, folder: Path) -> None:
    check(AnswerModel(folder, same(prediction)))


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (
            Detections((replace(DOG, score=0.7), CAT)),
            "in a batch of 1: prediction.boxes[0].score is 0.7, not 0.9",
        ),
        (
            Detections((replace(DOG, label="cow"), CAT)),
            "prediction.boxes[0].label is 'cow', not 'dog'",
        ),
        (
            Detections((replace(DOG, box=replace(SOMEWHERE, x_max=0.9)), CAT)),
            "prediction.boxes[0].box.x_max is 0.9, not 0.5",
        ),
        (Detections((DOG,)), "prediction.boxes is a list of 1, not a list of 2"),
        (Detections((replace(DOG, score=float("nan")), CAT)), "score is nan, not 0.9"),
        (Detections((replace(DOG, score=None), CAT)), "score is None, not 0.9"),
        (Detections((CAT, DOG)), "prediction.boxes[0].label is 'cat', not 'dog'; prediction"),
        (ModelError("too dark"), "the model cannot predict its own golden photo: too dark"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_answer_is_refused_with_the_difference(
    prediction: Any, reason: str, folder: Path
) -> None:
    with pytest.raises(InvalidPackage) as refusal:
        check(AnswerModel(folder, same(prediction)))

    assert reason in str(refusal.value)


def test_an_answer_that_is_wrong_only_in_company_is_refused(folder: Path) -> None:
    wrong = Detections((replace(DOG, score=0.7), CAT))
    model = AnswerModel(folder, lambda size: [RIGHT] * (size - 1) + [wrong if size == 4 else RIGHT])

    with pytest.raises(InvalidPackage, match=r"photo\.png: in a batch of 4: prediction"):
        check(model)


def test_another_number_of_answers_than_photos_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidPackage, match="1 predictions for 2 photos"):
        check(AnswerModel(folder, lambda _: [RIGHT]))


@pytest.mark.parametrize("name", ["photo.png", "expected.json"])
def test_golden_files_that_are_not_what_they_should_be_are_named(name: str, folder: Path) -> None:
    (folder / "golden" / name).write_bytes(b"neither a photo nor JSON")
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()))

    with pytest.raises(InvalidPackage, match=f"golden/{name}: "):
        check(AnswerModel(folder, same(RIGHT)))
