"""What follows from a score: present, absent or uncertain, and the score in words."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.thresholds import Band
from trilens.v1 import decision_pb2 as pb


def published(value: float) -> float:
    """The value as an answer holds it, in 32 bits: what a caller sees is what was decided by."""
    return float(np.float32(value))


# Where each likelihood begins but the first. M. Mastrandrea et al., "Guidance note for lead authors
# of the IPCC Fifth Assessment Report on consistent treatment of uncertainties", 2010.
LIKELIHOODS: Final = tuple(map(published, (0.1, 0.33, 0.66, 0.9)))
_IN_WORDS: Final = (
    pb.LIKELIHOOD_VERY_UNLIKELY,
    pb.LIKELIHOOD_UNLIKELY,
    pb.LIKELIHOOD_POSSIBLE,
    pb.LIKELIHOOD_LIKELY,
    pb.LIKELIHOOD_VERY_LIKELY,
)


def likelihood(score: float) -> pb.Likelihood:
    """The score in words."""
    return _IN_WORDS[bisect_right(LIKELIHOODS, published(score))]


@dataclass(frozen=True, slots=True)
class Edges:
    """A label's two edges, as answers hold them."""

    present: float | None  # None: no score is enough
    absent: float

    @classmethod
    def of(cls, band: Band) -> Edges:
        """A band's edges."""
        present = None if band.present is None else published(band.present)
        return cls(present, published(band.absent))

    @classmethod
    def at(cls, threshold: float) -> Edges:
        """Both edges at one threshold, which leaves nothing uncertain."""
        return cls(published(threshold), published(threshold))

    def decide(self, score: float) -> pb.Decision:
        """Present from the upper edge on, absent below the lower one, uncertain in between."""
        score = published(score)
        if self.present is not None and score >= self.present:
            return pb.DECISION_PRESENT
        return pb.DECISION_ABSENT if score < self.absent else pb.DECISION_UNCERTAIN
