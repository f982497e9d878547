"""Measures a caption package as it is served: photos in, sentences out, compared with people's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from rich.progress import track

from chassis.images import Pixels
from services.captioner.model import Candidate, Captions, load
from services.packages import Package
from training.bootstrap import Estimate, Floats, estimates
from training.bootstrap_captions import CAPTION_FIGURES, caption_measures
from training.caption_corpus import words_of
from training.caption_form import Form, form
from training.caption_scores import CiderD
from training.caption_sources import Corpus
from training.photo_changes import Change, as_it_is


@dataclass(frozen=True, slots=True)
class Written:
    """What a package wrote about the photos of a corpus."""

    corpus: Corpus
    candidates: tuple[Candidate, ...]  # the best about each photo
    scores: Floats  # CIDEr-D of each
    milliseconds: float  # CPU time of one thread per photo, pixels to sentences

    @property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The words about each photo."""
        return tuple(words_of(candidate.text) for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class Measured:
    """How good and how varied the sentences about a corpus are."""

    photos: int
    figures: dict[str, Estimate]  # BLEU-1 to BLEU-4, CIDEr-D
    form: Form
    most_repeated: str  # the sentence given for most photos
    repeated: float  # the share of photos it was given for
    distinct: float  # different sentences, as a share of photos
    words: float  # mean length
    people_words: float  # of people's sentences
    vocabulary: int  # different words that were used
    milliseconds: float
    examples: tuple[tuple[str, str], ...]  # photo and sentence, spread from best to worst


def write(package: Package, corpus: Corpus, change: Change = as_it_is) -> Written:
    """Runs a package over a corpus one photo at a time, on one thread; `change` is made before."""
    captioner = load(package)
    found: list[Candidate] = []
    spent = 0.0
    try:
        for photo in track(corpus.pixels(corpus.names), corpus.name, len(corpus.photos)):
            pixels = Pixels(change(photo))
            start = time.process_time()
            (captions,) = captioner.predict([pixels])
            spent += time.process_time() - start
            found.append(cast("Captions", captions).candidates[0])
    finally:
        captioner.close()
    cider = CiderD(corpus.references)
    scores = [cider.score(words_of(one.text), photo) for photo, one in enumerate(found)]
    return Written(corpus, tuple(found), np.array(scores), 1000 * spent / len(found))


def measure(written: Written) -> Measured:
    """Compares sentences with people's."""
    sentences, corpus, scores = written.sentences, written.corpus, written.scores
    measures = caption_measures(sentences, corpus.references)
    found = written.candidates
    counts = Counter(candidate.text for candidate in found)
    most, times = counts.most_common(1)[0]
    spread = np.argsort(-scores)[np.linspace(0, len(scores) - 1, 9).astype(int)]
    return Measured(
        photos=len(scores),
        figures=dict(zip(CAPTION_FIGURES, estimates(measures, len(scores)), strict=True)),
        # A sentence that ended by itself has a token more than words.
        form=form(
            sentences,
            [one.tokens <= len(words) for one, words in zip(found, sentences, strict=True)],
        ),
        most_repeated=most,
        repeated=times / len(scores),
        distinct=len(counts) / len(scores),
        words=_mean_length(sentences),
        people_words=_mean_length([one for several in corpus.references for one in several]),
        vocabulary=len({word for words in sentences for word in words}),
        milliseconds=written.milliseconds,
        examples=tuple((corpus.names[place], found[place].text) for place in spread),
    )


def _mean_length(sentences: Sequence[Sequence[str]]) -> float:
    return sum(map(len, sentences)) / len(sentences)
