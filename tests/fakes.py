"""Fakes with behaviour and no assertions: models that answer, wait, hang or break as told."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.captioner.model import Candidate, Captions
from services.classifier.model import Attributes, Face, LabelScore
from services.detector.model import Detection, Detections
from services.manifest import Manifest
from services.model import Box, Heatmap, Method, ModelError
from services.packages import Package, write_manifest

PHOTO = Path(__file__).parent / "photos" / "astronaut_small.png"
SHA256 = "0" * 64
SOMEWHERE = Box(0.1, 0.2, 0.5, 0.6)
HEAT = np.array([[0.5, 2.0, 0.0], [-1.0, 0.0, 0.0]], np.float32)

PREDICTIONS: dict[str, Any] = {
    "classification": Attributes(
        faces=(Face(SOMEWHERE, 0.99, (LabelScore("smiling", 0.9), LabelScore("sunglasses", 0.1))),),
        scores=(LabelScore("smiling", 0.9), LabelScore("sunglasses", 0.1)),
    ),
    "caption": Captions(
        (Candidate("A dog runs.", -2.0, 4), Candidate("A cat sits.", -3.0, 4)),
    ),
    "detection": Detections((Detection("dog", 0.9, SOMEWHERE), Detection("cat", 0.2, SOMEWHERE))),
}
LABELS = {
    "classification": ("smiling", "sunglasses"),
    "caption": (),
    "detection": ("dog", "cat"),
}
# Scores in answers are 0.9 and 0.1 or 0.2: from "careful" on the first is uncertain.
THRESHOLD_SETS = {
    "default-v1": {"labels": {"*": {"present": 0.5, "absent": 0.5}}},
    "strict-v1": {"labels": {"*": {"present": 0.8, "absent": 0.8}}},
    "careful-v1": {"labels": {"*": {"present": 0.95, "absent": 0.15}}},
    "mute-v1": {"labels": {"*": {"present": None, "absent": 0.15}}},
}
FEATURES = {"classification": "attributes", "caption": "captions", "detection": "objects"}


def manifest_fields(task: str = "detection", **changes: Any) -> dict[str, Any]:
    """A manifest that says all it must, as JSON holds it."""
    labels = LABELS[task]
    fields = {
        "schema": 1,
        "name": FEATURES[task],
        "version": "1.2.3",
        "task": task,
        "feature": FEATURES[task],
        "summary": "A model that tests made up.",
        "runtime": "onnxruntime",
        "artifacts": {"network": {"path": "network.onnx", "sha256": SHA256, "bytes": 1}},
        "preprocessing": {
            "width": 32,
            "height": 32,
            "resize": "squash",
            "layout": "NCHW",
            "mean": [0, 0, 0],
            "std": [255, 255, 255],
        },
        "max_side": 64,
        "batch_sizes": [1, 2, 4, 8],
        "labels": [{"id": label, "name": label.capitalize()} for label in labels],
        "threshold_sets": THRESHOLD_SETS if labels else {},
        "default_threshold_set": "default-v1" if labels else None,
        "license": {"id": "CC0-1.0", "text": "Free for all.", "commercial_use": True},
        "provenance": {"sources": ["nowhere"], "command": "none"},
        "golden": {
            "cases": [
                {
                    "photo": "photo.png",
                    "photo_sha256": SHA256,
                    "expected": "expected.json",
                    "expected_sha256": SHA256,
                }
            ]
        },
    }
    return fields | changes


def fake_package(task: str = "detection", **changes: Any) -> Package:
    """A package that was never on disk."""
    manifest = Manifest.model_validate(manifest_fields(task, **changes))
    return Package(Path("/nowhere"), manifest, SHA256)


def write_package(folder: Path, task: str = "detection", **changes: Any) -> Path:
    """A package on disk that expects what FakeModel predicts; only a fake model can load it."""
    (folder / "golden").mkdir(parents=True)
    (folder / "network.onnx").write_bytes(b"no network")
    shutil.copy(PHOTO, folder / "golden" / "photo.png")
    (folder / "golden" / "expected.json").write_text(json.dumps(asdict(PREDICTIONS[task])))
    case = {"photo": "golden/photo.png", "expected": "golden/expected.json"}
    golden = {"tolerance": 0.001, "cases": [case]}
    write_manifest(folder, manifest_fields(task) | {"golden": golden} | changes)
    return folder


class FakeExplainer:
    """Explains every label of every face, or every word, by the same map, in two steps each.

    `gate`: the second step of the first map waits until it is set. `broken`: that step raises it.
    """

    def __init__(
        self,
        *,
        gate: threading.Event | None = None,
        broken: Exception | None = None,
        heat: NDArray[np.float32] = HEAT,
    ) -> None:
        self.method = Method.OCCLUSION
        self.asked: list[Any] = []
        self._heat = heat
        self.began = threading.Event()
        self._gate = gate
        self._broken = broken

    def explain(self, _: Pixels, part: Any) -> Iterator[tuple[Heatmap, ...]]:
        """As the class says."""
        self.asked.append(part)
        for map_ in self._maps(part):
            yield ()
            self.began.set()
            if self._gate is not None:
                self._gate.wait()
            if self._broken is not None:
                raise self._broken.with_traceback(None)
            yield (map_,)

    def _maps(self, part: Any) -> Iterator[Heatmap]:
        if isinstance(part, Captions):
            for word in part.candidates[0].text.split():
                yield Heatmap(SOMEWHERE, self._heat, word=word)
            return
        for number, face in enumerate(part.faces):
            for score in face.scores:
                yield Heatmap(SOMEWHERE, self._heat, label=score.label, face=number)


class FakeModel:
    """Answers every photo with the prediction of its task, or as told.

    `gate`: predicting waits until it is set. `broken`: predicting raises it. `refuses`: photos for
    which it says True get a ModelError, alone. `explainer`: explains, if there is one.
    `prediction`: in place of its task's. Whatever else is given goes into the manifest.
    """

    def __init__(
        self,
        task: str = "detection",
        *,
        gate: threading.Event | None = None,
        broken: Exception | None = None,
        refuses: Callable[[Pixels], bool] = lambda _: False,
        explainer: FakeExplainer | None = None,
        prediction: Any = None,
        **manifest: Any,
    ) -> None:
        self.package = fake_package(task, **manifest)
        self.max_side = self.package.manifest.max_side
        self.explainer = explainer
        self.batches: list[tuple[Pixels, ...]] = []
        self.began = threading.Event()
        self.closed = False
        self._prediction = PREDICTIONS[task] if prediction is None else prediction
        self._gate = gate
        self._broken = broken
        self._refuses = refuses

    @property
    def seen(self) -> list[Pixels]:
        """Every photo that was predicted, in order."""
        return [photo for batch in self.batches for photo in batch]

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        """As the class says."""
        self.batches.append(tuple(batch))
        self.began.set()
        if self._gate is not None:
            self._gate.wait()
        if self._broken is not None:
            # Without this, one error raised again and again remembers every time before.
            raise self._broken.with_traceback(None)
        return tuple(
            ModelError("refused") if self._refuses(photo) else self._prediction for photo in batch
        )

    def close(self) -> None:
        """Notes that it was closed."""
        self.closed = True


class FakeApp:
    """Starts and stops when it may; `starts` and `breaks` say how starting ends."""

    name = "fake"
    services = ("trilens.v1.FakeService",)

    def __init__(self, *, starts: bool = True, breaks: Exception | None = None) -> None:
        self.may_start = asyncio.Event()
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        self.started = asyncio.Event()
        self.stopping = asyncio.Event()
        self._starts = starts
        self._breaks = breaks

    def register(self, server: Any) -> None:
        """Has no servicer."""

    def register_inside(self, server: Any) -> None:
        """Has none here either."""

    async def start(self) -> bool:
        """As told."""
        await self.may_start.wait()
        self.started.set()
        if self._breaks is not None:
            raise self._breaks
        return self._starts

    def trouble(self, _: float) -> str:
        """None."""
        return ""

    async def stop(self) -> None:
        """Ends once it may."""
        self.stopping.set()
        await self.may_stop.wait()
