"""All that is measured of a caption package before its manifest and card are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.manifest import Calibration
from services.packages import Package
from training.caption_confidence import Confidence, bar, fit, judged
from training.caption_evaluation import Measured, Written, measure, write
from training.caption_robustness import Condition, Slice
from training.caption_scores import CiderD
from training.caption_sources import Corpus

if TYPE_CHECKING:  # evaluation needs no Keras
    from training.caption_ablation import Trial
    from training.caption_runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Quality:
    """What a package wrote about some splits, compared with people's sentences."""

    written: dict[str, Written]
    measured: dict[str, Measured]
    least: float  # CIDEr-D from which on a sentence is close to people's, from val
    calibration: Calibration  # fitted on val
    confidence: dict[str, Confidence]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything else that the card tells."""

    conditions: tuple[Condition, ...]
    slices: tuple[Slice, ...]
    runtimes: tuple[Runtime, ...]
    trials: tuple[Trial, ...]
    cpu_minutes: float  # of training; 0 if that was not recorded


def quality(package: Package, splits: dict[str, Corpus]) -> Quality:
    """Writes about every photo of the splits, of which one is val, and measures it."""
    val = splits["val"]
    written = {split: write(package, corpus) for split, corpus in splits.items()}
    least = bar(CiderD(val.references), len(val.photos))
    fitted = fit(written["val"].candidates, written["val"].scores, least)
    return Quality(
        written=written,
        measured={split: measure(one) for split, one in written.items()},
        least=least,
        calibration=fitted,
        confidence={
            split: judged(one.candidates, one.scores, least, fitted)
            for split, one in written.items()
        },
    )
