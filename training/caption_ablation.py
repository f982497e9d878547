"""What each part of the captioner's training and search is worth, measured on val in Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.captioner.beam import Search
from training.bootstrap import Difference, Estimate, differences, estimates
from training.bootstrap_captions import caption_measures
from training.caption_features import Floats, look, seen_size
from training.caption_learner import Learner
from training.caption_run import STAGES, learnt
from training.caption_scores import CiderD
from training.caption_sources import Corpus
from training.caption_speaker import KerasSpeaker, best_words


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
    for name, other in {
        "as served": rules,
        "beam of 1 (greedy)": replace(rules, beams=1),
        "beam of 3": replace(rules, beams=3),
        "length power 0.7": replace(rules, length_power=0.7),
        "length power 0 (plain probability)": replace(rules, length_power=0.0),
    }.items():
        yield name, _sentences(learner, seen, other)
    begun = [stage for stage in STAGES if stage.best(folder).exists()]
    for stage in begun[:-1]:
        learner.take_up(stage)
        yield f"weights after stage `{stage.name}`", _sentences(learner, seen, rules)
    learner.take_last(begun[-1])
    yield f"last weights of `{begun[-1].name}`, not averaged", _sentences(learner, seen, rules)


def _sentences(learner: Learner, seen: Floats, rules: Search) -> list[tuple[str, ...]]:
    speaker = KerasSpeaker(learner.decoder, *seen_size(learner.eye))
    return [
        learner.vocabulary.decode(words) for words in best_words(speaker.sentences(seen, rules))
    ]
