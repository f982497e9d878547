"""Completes packages: golden cases from photos, and the manifest that names them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from services.model import Model
from services.packages import Package, open_package, write_manifest
from services.selftest import as_json, photo

GOLDEN_SIDE: Final = 320  # longest side of a golden photo, in pixels: small, and enough to differ

Load = Callable[[Package], Model[Any]]


def complete(
    folder: Path, fields: Mapping[str, Any], photos: Sequence[Path], load: Load
) -> Package:
    """Writes golden cases from `photos` and the manifest, and opens the package so made.

    `folder` holds the artefacts, `fields` is the manifest without its golden cases. The model
    itself says what is expected of it, so look at its answers before you trust them. Raises
    InvalidPackage if a photo cannot be predicted.
    """
    cases = [_case(folder, source) for source in photos]
    golden = {"golden": {**fields.get("golden", {}), "cases": cases}}
    write_manifest(folder, {**fields, **golden})
    model = load(open_package(folder))
    try:
        for case in cases:
            (prediction,) = model.predict([photo(folder / case["photo"], model.max_side)])
            text = json.dumps(as_json(prediction), indent=1) + "\n"
            (folder / case["expected"]).write_text(text)
    finally:
        model.close()
    write_manifest(folder, {**fields, **golden})
    return open_package(folder)


def _case(folder: Path, source: Path) -> dict[str, str]:
    """Copies a photo, reduced and without loss from there on, and leaves room for its answer."""
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    case = {"photo": f"golden/{source.stem}.png", "expected": f"golden/{source.stem}.json"}
    with Image.open(source) as original:
        upright = ImageOps.exif_transpose(original).convert("RGB")
        upright.thumbnail((GOLDEN_SIDE, GOLDEN_SIDE), Image.Resampling.LANCZOS)
        upright.save(folder / case["photo"], optimize=True)
    (folder / case["expected"]).write_text("null\n")
    return case
