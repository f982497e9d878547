"""The plots of a card, as SVG: the same figures always give the same file.

Each function writes one file and makes its folder. Cards keep them in `card/` beside `card.md`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.bootstrap import Floats
from training.calibration import Bin
from training.precision import Decisions, Scored, present_from
from training.ranking import Ranking, Truth

_STYLE: Final = {
    "svg.hashsalt": "trilens",  # else ids are drawn anew at every run
    "svg.fonttype": "none",  # text stays text: small files, which a diff can read
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
# Okabe and Ito's colours, which colour-blind people tell apart.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MOST_POINTS: Final = 200
_MOST_COVERED: Final = 1.5


def reliability(path: Path, bins: Mapping[str, Sequence[Bin]]) -> None:
    """What was said against what was true, by label; the number beside a point counts examples."""
    with _axes(path, "score said (mean of a bin)", "share that was true") as axes:
        axes.plot((0, 1), (0, 1), color="grey", linewidth=1, linestyle=":", label="as it should be")
        for (name, found), colour in zip(bins.items(), _colours(bins), strict=True):
            scores, shares = [one.score for one in found], [one.share for one in found]
            axes.plot(scores, shares, marker="o", markersize=4, color=colour, label=name)
            for one in found:
                axes.annotate(
                    str(one.count),
                    (one.score, one.share),
                    (4, -8),
                    textcoords="offset points",
                    fontsize=6,
                    color=colour,
                )
        axes.legend(loc="upper left")


def precision_recall(path: Path, rankings: Mapping[str, Ranking]) -> None:
    """Precision against recall over all thresholds, by label."""
    with _axes(path, "recall", "precision") as axes:
        for (name, ranking), colour in zip(rankings.items(), _colours(rankings), strict=True):
            _, precision, recall = ranking.curve()
            places = _thinned(recall, precision)
            axes.plot(recall[places], precision[places], color=colour, label=name)
        axes.legend(loc="lower left")


def precision_coverage(
    path: Path, scored: Mapping[str, Scored], target: float, least: int = 5
) -> None:
    """Precision of "present" against how many are answered so, by label, down to its bound.

    Coverage is per example (or box that people drew) of which the label is true, so that rare
    labels can be read, too; beyond 1 there are more answers than there are such examples.
    """
    with _axes(path, "answers of present per true one", "precision of present") as axes:
        axes.axhline(target, color="grey", linewidth=1, linestyle=":", label=f"target {target:g}")
        for (name, one), colour in zip(scored.items(), _colours(scored), strict=True):
            decisions = present_from(one)
            places = _enough(decisions, least, one.positives)
            found = decisions.counts[places] / max(1, one.positives)
            bounds = [decisions.lowest_at(int(place)) for place in places]
            axes.plot(found, decisions.precision[places], color=colour, label=name)
            axes.fill_between(
                found, bounds, decisions.precision[places], color=colour, alpha=0.15, linewidth=0
            )
        axes.set_xlim(0, _MOST_COVERED)
        axes.legend(loc="lower left")


def histogram(path: Path, scores: Floats, truth: Truth, edges: Sequence[float] = ()) -> None:
    """How many examples get which score, positives and negatives apart; `edges` are thresholds."""
    places = np.linspace(0, 1, 21)
    with _axes(path, "score", "examples", square=False) as axes:
        kinds = (("negative", ~truth, _COLOURS[0]), ("positive", truth, _COLOURS[1]))
        for name, chosen, colour in kinds:
            heights, _ = np.histogram(scores[chosen], places)
            axes.stairs(heights, places, color=colour, fill=True, alpha=0.45, label=name)
        for edge in edges:
            axes.axvline(edge, color="black", linewidth=1, linestyle="--")
        axes.set_yscale("symlog", linthresh=10)  # rare labels have a few examples beside thousands
        axes.legend(loc="upper center")


def sharpness(path: Path, sureness: Floats, quality: Floats, name: str) -> None:
    """Mean quality of the surest part of the answers, for parts from a tenth to all of them."""
    falling = np.cumsum(quality[np.argsort(-sureness, kind="stable")]) / np.arange(
        1, len(quality) + 1
    )
    places = np.linspace(len(quality) // 10, len(quality) - 1, 91).astype(int)
    with _axes(path, "share of the answers, surest first", f"mean {name}", square=False) as axes:
        axes.plot((places + 1) / len(quality), falling[places], color=_COLOURS[0])
        axes.axhline(
            float(quality.mean()), color="grey", linewidth=1, linestyle=":", label="all of them"
        )
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower left")


def curves(
    path: Path, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str
) -> None:
    """Lines by name, each as its x and y: what a figure becomes as something else changes."""
    with _axes(path, x, y, square=False) as axes:
        for (name, (across, up)), colour in zip(lines.items(), _colours(lines), strict=True):
            axes.plot(across, up, marker="o", markersize=3, color=colour, label=name)
        axes.legend()


@contextmanager
def _axes(path: Path, x: str, y: str, *, square: bool = True) -> Iterator[Any]:
    """The axes of a new plot, which is written at the end of the block."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel=x, ylabel=y)
        if square:
            axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        yield axes
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _colours(names: Collection[str]) -> Iterator[str]:
    return itertools.islice(itertools.cycle(_COLOURS), len(names))


def _thinned(x: Floats, y: Floats) -> NDArray[np.intp]:
    """Places along a line that are as far apart as they look."""
    if not len(x):
        return np.empty(0, np.intp)
    walked = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    marks = np.linspace(0, walked[-1], _MOST_POINTS)
    return np.unique([0, *np.searchsorted(walked, marks), len(x) - 1]).clip(0, len(x) - 1)


def _enough(decisions: Decisions, least: int, positives: int) -> NDArray[np.intp]:
    """Edges that decide neither so few examples that precision is chance, nor too many."""
    most = _MOST_COVERED * positives
    places = np.flatnonzero((decisions.counts >= least) & (decisions.counts <= most))
    covered = decisions.counts[places] / max(1, positives)
    return places[_thinned(covered, decisions.precision[places])]
