"""Plots are small SVG files, and the same whenever they are drawn of the same figures."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the training environment")

from training import plots
from training.calibration import reliability
from training.precision import Scored
from training.ranking import Ranking

RANDOM = np.random.default_rng(6)
SCORES = RANDOM.random(3000)
TRUTH = RANDOM.random(3000) < SCORES
RARE = RANDOM.random(3000) < SCORES**20

DRAW = {
    "reliability": lambda path: plots.reliability(path, {"smiling": reliability(SCORES, TRUTH)}),
    "precision-recall": lambda path: plots.precision_recall(
        path, {"smiling": Ranking(SCORES, TRUTH), "sunglasses": Ranking(SCORES, RARE)}
    ),
    "precision-coverage": lambda path: plots.precision_coverage(
        path, {"smiling": Scored(SCORES, TRUTH), "sunglasses": Scored(SCORES, RARE)}, target=0.9
    ),
    "histogram": lambda path: plots.histogram(path, SCORES, TRUTH, edges=(0.2, 0.8)),
    "sharpness": lambda path: plots.sharpness(path, SCORES, SCORES + 0.1, "CIDEr-D"),
    "curves": lambda path: plots.curves(path, {"one": ([1, 2, 3], [3, 1, 2])}, "epochs", "loss"),
}


@pytest.mark.parametrize("name", DRAW)
def test_a_plot_is_small_and_the_same_every_time(name, tmp_path):
    first, again = tmp_path / "card" / f"{name}.svg", tmp_path / "again.svg"
    DRAW[name](first)
    DRAW[name](again)

    assert first.read_bytes() == again.read_bytes()
    assert 1_000 < first.stat().st_size < 60_000
    assert "<svg" in first.read_text()
    assert "<dc:date>" not in first.read_text()


def test_a_label_that_was_never_scored_leaves_the_others_drawn(tmp_path):
    nothing = Scored(np.array([]), np.array([], bool), missed=3)
    path = tmp_path / "coverage.svg"
    plots.precision_coverage(path, {"none": nothing, "some": Scored(SCORES, TRUTH)}, target=0.9)

    assert "some" in path.read_text()
