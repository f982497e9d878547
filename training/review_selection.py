"""Which faces a reviewer looks at: where networks and the label disagree, and some by chance.

The order tells nothing: all are shuffled together, so that on a sheet a disagreement looks like
any other face.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DISAGREEMENT: Final = "disagreement"  # a network decided otherwise than the label says
RANDOM: Final = "random"  # drawn from all faces: what these show holds for all of them
FILLER: Final = "filler"  # drawn from those agreed upon, to make a sheet tell less
AGAIN: Final = "again"  # looked at a second time
THRESHOLD: Final = 0.5  # of a calibrated score

Labels = Mapping[str, bool]  # by file: does the face smile
Scores = Mapping[str, Sequence[float]]  # by file: each network's probability that it does


@dataclass(frozen=True, slots=True)
class Selected:
    """A face to look at, and why."""

    file: str
    reasons: tuple[str, ...]


def disagreements(labels: Labels, scores: Scores) -> frozenset[str]:
    """The faces of which any network decides otherwise than their label."""
    return frozenset(
        file
        for file, label in labels.items()
        if any((score >= THRESHOLD) != label for score in scores[file])
    )


def select(
    labels: Labels,
    scores: Scores,
    *,
    chance: int,
    fillers: int,
    seed: int,
    seen: Collection[str] = (),
    most: int | None = None,
) -> tuple[Selected, ...]:
    """All disagreements, `chance` random faces and `fillers` agreed ones, shuffled together.

    If there are more than `most` disagreements, as many of them are drawn. Faces in `seen` were
    looked at before and are left out of disagreements and fillers. Random faces are drawn from all
    others, disagreements or not: a sample of what was seen in part would stand for nothing.
    """
    if chance and seen:
        raise ValueError("random faces stand for all only if none has been looked at before")
    draw = random.Random(seed)
    files = sorted(labels)
    disputed = disagreements(labels, scores)
    drawn = frozenset(draw.sample(files, chance))
    left = [file for file in files if file not in disputed | drawn | frozenset(seen)]
    new = sorted(disputed - frozenset(seen))
    reasons = {
        DISAGREEMENT: frozenset(new if most is None else draw.sample(new, min(most, len(new)))),
        RANDOM: drawn,
        FILLER: frozenset(draw.sample(left, min(fillers, len(left)))),
    }
    return _shuffled(reasons, draw)


def select_again(
    corrected: Collection[str], confirmed: Collection[str], seed: int
) -> tuple[Selected, ...]:
    """All whose label was corrected, and as many whose label was not, shuffled together."""
    draw = random.Random(seed)
    others = sorted(confirmed)
    chosen = draw.sample(others, min(len(corrected), len(others)))
    return _shuffled({AGAIN: frozenset(corrected) | frozenset(chosen)}, draw)


def _shuffled(reasons: Mapping[str, frozenset[str]], draw: random.Random) -> tuple[Selected, ...]:
    files = sorted(frozenset().union(*reasons.values()))
    draw.shuffle(files)
    return tuple(
        Selected(file, tuple(reason for reason, chosen in reasons.items() if file in chosen))
        for file in files
    )
