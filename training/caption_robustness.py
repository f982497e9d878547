"""How much worse captions get on worse photos, and about what they are worst as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.packages import Package
from training.bootstrap import Difference, Estimate, difference, estimate, mean_of
from training.caption_evaluation import Written, write
from training.caption_sources import Corpus
from training.photo_changes import CHANGES
from training.ranking import Truth

SAMPLE: Final = 200  # photos under each change
_LEAST: Final = 30  # photos of a slice

_PEOPLE: Final = frozenset(
    [
        "man",
        "men",
        "woman",
        "women",
        "boy",
        "boys",
        "girl",
        "girls",
        "child",
        "children",
        "person",
        "people",
        "kid",
        "kids",
        "lady",
        "baby",
        "toddler",
        "guy",
        "player",
        "players",
        "crowd",
        "couple",
    ]
)
_DOGS: Final = frozenset(["dog", "dogs", "puppy", "puppies"])
_INSIDE: Final = frozenset(
    [
        "indoors",
        "inside",
        "room",
        "kitchen",
        "couch",
        "sofa",
        "bed",
        "floor",
        "table",
        "restaurant",
        "bar",
        "store",
        "stage",
        "gym",
    ]
)


@dataclass(frozen=True, slots=True)
class Condition:
    """CIDEr-D under one change of the photos."""

    name: str
    cider: Estimate
    change: Difference  # against the same photos as they are


@dataclass(frozen=True, slots=True)
class Slice:
    """CIDEr-D on a part of the photos, as they are."""

    by: str
    name: str
    photos: int
    cider: Estimate


def conditions(package: Package, corpus: Corpus) -> Iterator[Condition]:
    """Measures some of the photos as they are, then under every change.

    All with document frequencies of that part's references.
    """
    places = np.linspace(0, len(corpus.photos) - 1, min(SAMPLE, len(corpus.photos))).astype(int)
    part = corpus.of(places.tolist())
    plain = write(package, part).scores
    count = len(plain)
    nothing = difference(mean_of(plain), mean_of(plain), count)
    yield Condition("as they are", estimate(mean_of(plain), count), nothing)
    for name, change in CHANGES.items():
        scores = mean_of(write(package, part, change).scores)
        yield Condition(name, estimate(scores, count), difference(mean_of(plain), scores, count))


def slices(written: Written) -> tuple[Slice, ...]:
    """By what people's sentences name, and by how bright the photos are."""
    corpus = written.corpus
    named = [
        {word for sentence in sentences for word in sentence} for sentences in corpus.references
    ]
    light = np.array([photo.mean() for photo in corpus.pixels(corpus.names)])
    edges = np.quantile(light, (0.25, 0.5, 0.75))
    quarters = ("darkest quarter", "second", "third", "brightest quarter")
    columns = {
        "shows": [
            ("people and dogs" if words & _DOGS else "people, no dog")
            if words & _PEOPLE
            else ("dogs, nobody" if words & _DOGS else "neither")
            for words in named
        ],
        "place": ["indoors, by its words" if words & _INSIDE else "other" for words in named],
        "light": [quarters[place] for place in np.searchsorted(edges, light, side="right")],
    }
    return tuple(
        Slice(by, name, int(inside.sum()), _mean(written, inside))
        for by, values in columns.items()
        for name in dict.fromkeys(sorted(values))
        if (inside := np.array(values) == name).sum() >= _LEAST
    )


def largest_gap(found: tuple[Slice, ...]) -> tuple[Slice, Slice]:
    """The worst and the best slice of what they differ most by."""

    def ends(by: str) -> tuple[Slice, Slice]:
        ordered = sorted((one for one in found if one.by == by), key=lambda one: one.cider.value)
        return ordered[0], ordered[-1]

    pairs = [ends(by) for by in dict.fromkeys(one.by for one in found)]
    return max(pairs, key=lambda pair: pair[1].cider.value - pair[0].cider.value)


def _mean(written: Written, inside: Truth) -> Estimate:
    scores = written.scores[inside]
    return estimate(mean_of(scores), len(scores))
