"""Builds model packages: a network's file, photos and a few facts in, a verified folder out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from PIL import Image, ImageOps

from chassis.images import Pixels
from services.model import ModelError
from services.packages import InvalidPackage, Package, open_package, write_manifest

GOLDEN_SIDE: Final = 320  # longest side of a golden photo, in pixels: small, and enough to differ


class Loaded(Protocol):
    """What a golden case is recorded from."""

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        """Predicts each photo."""

    def close(self) -> None:
        """Gives its memory back."""


def complete(
    folder: Path,
    fields: Mapping[str, Any],
    photos: Sequence[Path],
    load: Callable[[Package], Loaded],
) -> Package:
    """Writes golden cases from `photos` and the manifest, and opens the package so made.

    `folder` holds the artefacts, `fields` is the manifest without its golden cases. The model
    itself says what is expected of it, so look at its answers before you trust them. Raises
    InvalidPackage if a photo cannot be predicted.
    """
    cases = [_case(folder, photo) for photo in photos]
    golden = {"golden": {**fields.get("golden", {}), "cases": cases}}
    write_manifest(folder, {**fields, **golden})
    model = load(open_package(folder))
    try:
        for case in cases:
            with Image.open(folder / case["photo"]) as photo:
                pixels = Pixels(np.asarray(photo))
            (prediction,) = model.predict([pixels])
            if isinstance(prediction, ModelError):
                raise InvalidPackage(f"{folder / case['photo']}: {prediction}")
            text = json.dumps(dataclasses.asdict(prediction), indent=1)
            (folder / case["expected"]).write_text(text + "\n")
    finally:
        model.close()
    write_manifest(folder, {**fields, **golden})
    return open_package(folder)


def _case(folder: Path, photo: Path) -> dict[str, str]:
    """Copies a photo, reduced and without loss from there on, and leaves room for its answer."""
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    case = {"photo": f"golden/{photo.stem}.png", "expected": f"golden/{photo.stem}.json"}
    with Image.open(photo) as original:
        upright = ImageOps.exif_transpose(original).convert("RGB")
        upright.thumbnail((GOLDEN_SIDE, GOLDEN_SIDE), Image.Resampling.LANCZOS)
        upright.save(folder / case["photo"], optimize=True)
    (folder / case["expected"]).write_text("null\n")
    return case
