"""What each part of the captioner's training and search is worth, measured on val in Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.captioner.beam import Search, Sentence
from training.bootstrap import Difference, Estimate, differences, estimates
from training.bootstrap_captions import caption_measures
from training.caption_features import Floats, look, seen_size
from training.caption_learner import Learner
from training.caption_run import STAGES, learnt
from training.caption_scores import CiderD
from training.caption_sources import Corpus
from training.caption_speaker import KerasSpeaker


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to do it: its figures, and how far they are from those of what is served."""

    name: str
    bleu: Estimate  # BLEU-4
    cider: Estimate
    bleu_change: Difference
    cider_change: Difference


def trials(folder: Path, val: Corpus, rules: Search) -> tuple[Trial, ...]:
    """Other searches with the weights that are served, then the weights of earlier stages.

    `rules` are those that are served.
    """
    written = dict(_written(folder, val, rules))
    cider = CiderD(val.references)
    measures = {
        name: caption_measures(words, val.references, cider) for name, words in written.items()
    }
    served = next(iter(measures.values()))
    found = []
    for name, one in measures.items():
        *_, bleu, score = estimates(one, len(val.photos))
        *_, bleu_change, change = differences(served, one, len(val.photos))
        found.append(Trial(name, bleu, score, bleu_change, change))
    return tuple(found)


def _written(
    folder: Path, val: Corpus, rules: Search
) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    learner = learnt(folder)
    seen = np.stack(list(look(learner.eye, val.pixels(val.names))))
    served = _sentences(learner, seen, rules)
    yield "as served", _best(learner, served, rules.length_power)
    # The power decides which of the sentences comes first, not which are found.
    yield "length power 0.7", _best(learner, served, 0.7)
    yield "length power 0 (plain probability)", _best(learner, served, 0.0)
    for name, beams in (("beam of 3", 3), ("beam of 1 (greedy)", 1)):
        narrow = replace(rules, beams=beams)
        yield name, _best(learner, _sentences(learner, seen, narrow), rules.length_power)
    begun = [stage for stage in STAGES if stage.best(folder).exists()]
    learner.take_last(begun[-1])
    name = f"last weights of `{begun[-1].name}`, not averaged"
    yield name, _best(learner, _sentences(learner, seen, rules), rules.length_power)
    for stage in reversed(begun[:-1]):
        learner.take_up(stage)
        name = f"weights after `{stage.name}`"
        yield name, _best(learner, _sentences(learner, seen, rules), rules.length_power)


def _sentences(learner: Learner, seen: Floats, rules: Search) -> list[tuple[Sentence, ...]]:
    return KerasSpeaker(learner.decoder, *seen_size(learner.eye)).sentences(seen, rules)


def _best(
    learner: Learner, found: list[tuple[Sentence, ...]], power: float
) -> list[tuple[str, ...]]:
    return [
        learner.vocabulary.decode(
            max(sentences, key=lambda one: one.log_probability / one.tokens**power).words
        )
        for sentences in found
    ]
