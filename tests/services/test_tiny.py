"""The tiny packages of tests of load and rollouts: sound, and different as they say."""

from pathlib import Path

import numpy as np
import pytest

from chassis.images import Pixels
from services.packages import Package, open_package
from services.selftest import check
from tests import tiny

RED, BLUE = (230, 20, 20), (20, 20, 230)


def plain(colour: tuple[int, int, int]) -> Pixels:
    return Pixels(np.full((48, 64, 3), colour, np.uint8))


def named(package: Package, colour: tuple[int, int, int]) -> set[str]:
    """Every colour that its answer names."""
    model = tiny.load(package)
    (answer,) = model.predict([plain(colour)])
    model.close()
    if package.manifest.feature == "captions":
        return set(answer.candidates[0].text.lower().rstrip(".").split()) & set(tiny.COLOURS)
    scored = answer.scores if package.manifest.feature == "attributes" else answer.boxes
    return {one.label for one in scored if one.score > 0.6}


@pytest.mark.parametrize("version", tiny.KINDS)
@pytest.mark.parametrize("feature", tiny.FEATURES)
def test_every_tiny_package_passes_the_check_that_packages_pass_before_they_serve(
    tmp_path: Path, feature: str, version: str
) -> None:
    tiny.write(tmp_path, feature, version)

    model = tiny.load(open_package(tmp_path / feature / version))

    check(model)
    model.close()


@pytest.mark.parametrize("feature", tiny.FEATURES)
def test_versions_name_the_colours_that_they_are_made_to(tmp_path: Path, feature: str) -> None:
    packages = {name: tiny.write(tmp_path, feature, name) for name in ("1.0.0", "1.2.0", "1.3.0")}

    assert {name: named(package, RED) for name, package in packages.items()} == {
        "1.0.0": {"red"},
        "1.2.0": {"blue"},
        "1.3.0": {"blue"},
    }
    assert named(packages["1.3.0"], BLUE) == {"red"}


def test_a_version_puts_its_boxes_beside_those_of_another(tmp_path: Path) -> None:
    lefts = {}
    for version in ("1.0.0", "1.4.0"):
        model = tiny.load(tiny.write(tmp_path, "objects", version))
        (answer,) = model.predict([plain(RED)])
        lefts[version] = sorted({round(one.box.x_min, 3) for one in answer.boxes})

    assert lefts == {"1.0.0": [0.031, 0.531], "1.4.0": [0.219, 0.719]}
