"""Fits a label's two thresholds to a policy: how right "present" and "absent" shall be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from services.schema import REST, Name, Probability, Strict
from services.thresholds import Band, Policy, Reached, ThresholdSet
from training.precision import Decisions, Scored, absent_below, present_from

DEFAULT_POLICY: Final = Path(__file__).with_name("policies") / "precision-90.json"

# Below even odds, a box of a label that is never given is left out for those who ask for uncertain
# ones, too: a network makes many such boxes, and nearly all are wrong.
_ODDS_OF_BOXES: Final = 0.5


class FitPolicy(Strict):
    """What thresholds are fitted to. Targets are of point estimates; the bounds are reported."""

    name: Name
    target_precision: Probability  # share of "present" that is right
    target_absent: Probability  # share of "absent" that is right
    least_positives: Annotated[int, Field(gt=0)]  # with fewer, a label is never given
    least_decisions: Annotated[int, Field(gt=0)]  # an edge decides at least so many examples
    # "Present" is said of no lower score, even if it were right often enough: of a label that is
    # ranked well it would be said where "absent" is more likely.
    least_score: Probability = 0.0

    @classmethod
    def read(cls, path: Path) -> FitPolicy:
        """Reads a policy file; raises pydantic's ValidationError for one that is not sound."""
        return cls.model_validate_json(path.read_bytes())


def fit_set(
    examples: Mapping[str, Scored],
    policy: FitPolicy,
    *,
    dataset: str,
    split: str,
    count: int,
    every: bool = True,
) -> ThresholdSet:
    """A set with a band for every label with enough positives; all others are never given.

    `count` is how many faces or photos the examples are from; `every`: they are of all labels of
    the model.
    """
    bands = {
        label: fit_band(scored, policy)
        for label, scored in examples.items()
        if scored.positives >= policy.least_positives
    }
    if len(bands) < len(examples) or not every:
        boxes = any(scored.missed is not None for scored in examples.values())
        bands[REST] = Band(present=None, absent=_ODDS_OF_BOXES if boxes else 0.0)
    return ThresholdSet(
        policy=Policy(
            name=policy.name,
            target_precision=policy.target_precision,
            target_absent=policy.target_absent,
            dataset=dataset,
            split=split,
            count=count,
        ),
        labels=bands,
    )


def fit_band(scored: Scored, policy: FitPolicy) -> Band:
    """Present from the lowest edge, absent below the highest, that reach the policy's targets.

    Where both would overlap they meet at the present one, and nothing is uncertain.
    """
    above, below = present_from(scored), absent_below(scored)
    present = _last(above, policy.target_precision, policy.least_decisions, policy.least_score)
    most = 1.0 if present is None else float(above.edges[present])
    absent = _last(below, policy.target_absent, policy.least_decisions, 0.0, most)
    return Band(
        present=None if present is None else most,
        absent=0.0 if absent is None else float(below.edges[absent]),
        when_present=_reached(above, present, scored, scored.positives),
        when_absent=_reached(below, absent, scored, int((~scored.truth).sum())),
    )


def _last(
    decisions: Decisions, target: float, least: int, lowest: float, highest: float = 1.0
) -> int | None:
    """The place of the edge that decides most examples, of those that are good enough."""
    good = (decisions.precision >= target) & (decisions.counts >= least)
    places = np.flatnonzero(good & (lowest <= decisions.edges) & (decisions.edges <= highest))
    return int(places[-1]) if len(places) else None


def _reached(
    decisions: Decisions, place: int | None, scored: Scored, deserving: int
) -> Reached | None:
    if place is None:
        return None
    count = int(decisions.counts[place])
    return Reached(
        precision=round(float(decisions.precision[place]), 4),
        precision_low=round(decisions.lowest_at(place), 4),
        recall=round(float(decisions.right[place]) / max(1, deserving), 4),
        coverage=round(count / len(scored.scores), 4) if scored.missed is None else None,
        count=count,
    )
