"""Beam search: the likeliest sentences about each photo, many photos at once."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Words: TypeAlias = NDArray[np.int64]
State: TypeAlias = tuple[Floats, ...]  # each (photos, beams, ...)


@dataclass(frozen=True, slots=True)
class Search:
    """How to search; every number of a word is one of the vocabulary's."""

    start: int  # the word before the first
    end: int  # the word after the last
    never: tuple[int, ...]  # words that no sentence may hold
    beams: int = 3
    longest: int = 20  # tokens of a sentence
    length_power: float = 0.7  # sentences compete by log-probability / tokens ** length_power

    def __post_init__(self) -> None:
        if self.beams < 1 or self.longest < 1:
            raise ValueError("beams and longest must be at least 1")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence by its words' numbers; its end counts as a token."""

    words: tuple[int, ...]
    log_probability: float  # natural logarithm, summed over the tokens
    tokens: int


class Speaker(Protocol):
    """What knows the likeliest next words of sentences that are being written."""

    def step(
        self, photos: NDArray[np.intp], words: Words, state: State
    ) -> tuple[Floats, Words, State]:
        """Adds the last word, (photos, beams), to each sentence.

        Returns the log-probabilities of the likeliest next words (photos, beams, candidates),
        those words, and the new state. `photos` says which of the batch are still being written.
        """


def search(speaker: Speaker, state: State, rules: Search) -> tuple[tuple[Sentence, ...], ...]:
    """The best sentences about each photo, best first, at most `rules.beams`.

    `state` is that before any word, each array (photos, beams, ...). A photo is done when as many
    sentences as beams have ended, whatever the other photos do. The speaker must offer at least
    `beams + len(never) + 1` candidates, so that enough go on when some may not.
    """
    drafts = tuple(_Draft(rules) for _ in range(len(state[0])))
    if not drafts:
        return ()
    photos = np.arange(len(drafts))
    shape = (len(drafts), rules.beams)
    words = np.full(shape, rules.start, np.int64)
    # All beams begin alike: only the first may have successors.
    scores = np.where(np.arange(rules.beams) == 0, 0.0, -np.inf) * np.ones(shape)
    histories = np.zeros((*shape, 0), np.int64)
    for tokens in range(1, rules.longest + 1):
        gains, candidates, state = speaker.step(photos, words, state)
        totals = (scores[:, :, None] + _allowed(gains, candidates, words, rules)).reshape(
            len(photos), rules.beams * candidates.shape[2]
        )
        order = np.argsort(-totals, axis=1, kind="stable")
        chosen = np.empty((len(photos), rules.beams), np.intp)
        going = np.empty(len(photos), bool)
        for row, photo in enumerate(photos):
            draft = drafts[photo]
            chosen[row] = draft.divide(
                order[row], totals[row], candidates[row].ravel(), histories[row], tokens
            )
            going[row] = not draft.done
        parents = chosen[going] // candidates.shape[2]
        scores = np.take_along_axis(totals[going], chosen[going], 1)
        words = np.take_along_axis(candidates.reshape(totals.shape)[going], chosen[going], 1)
        photos, rows = photos[going], np.flatnonzero(going)[:, None]
        histories = np.concatenate([histories[rows, parents], words[:, :, None]], 2)
        if not len(photos):
            break
        state = tuple(part[rows, parents] for part in state)
    for photo, history, total in zip(photos, histories, scores, strict=True):
        drafts[photo].cut(history[0], float(total[0]))
    return tuple(draft.sentences() for draft in drafts)


def _allowed(gains: Floats, candidates: Words, previous: Words, rules: Search) -> Floats:
    """The gains, minus infinity for words never used and for a word that would follow itself."""
    banned = candidates == previous[:, :, None]
    for word in rules.never:
        banned |= candidates == word
    return np.where(banned, np.float32(-np.inf), gains)


class _Draft:
    """One photo's sentences that have ended."""

    def __init__(self, rules: Search) -> None:
        self._rules = rules
        self._ended: list[Sentence] = []

    @property
    def done(self) -> bool:
        return len(self._ended) == self._rules.beams

    def divide(
        self,
        order: NDArray[np.intp],
        totals: NDArray[np.float64],
        candidates: Words,
        histories: Words,
        tokens: int,
    ) -> list[int]:
        """Keeps those of the best candidates that end; the places of those that go on."""
        per_beam = len(candidates) // self._rules.beams
        going: list[int] = []
        for place in order.tolist():
            if len(going) == self._rules.beams:
                break
            if candidates[place] != self._rules.end:
                going.append(place)
            elif tokens > 1 and np.isfinite(totals[place]) and not self.done:
                self._keep(histories[place // per_beam], float(totals[place]), tokens)
        return going

    def cut(self, words: Words, total: float) -> None:
        """Takes a sentence that has not ended in time, unless others have."""
        if not self._ended:
            self._keep(words, total, len(words))

    def sentences(self) -> tuple[Sentence, ...]:
        """What has ended, best first."""
        power = self._rules.length_power
        return tuple(
            sorted(self._ended, key=lambda ended: -ended.log_probability / ended.tokens**power)
        )

    def _keep(self, words: Words, total: float, tokens: int) -> None:
        self._ended.append(Sentence(tuple(words.tolist()), total, tokens))
