"""Measures a caption package as it is served: photos in, sentences out, compared with people's."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from rich.progress import track

from chassis.images import Pixels
from services.captioner.model import Candidate, Captions, load
from services.packages import Package
from training.caption_corpus import Captioned, read_photos, read_split, words_of
from training.caption_scores import CiderD, bleu


@dataclass(frozen=True, slots=True)
class Measured:
    """How good the first sentences about a split's photos are."""

    photos: int
    bleu: tuple[float, ...]  # BLEU-1 to BLEU-4, in [0, 1]
    cider: float  # CIDEr-D, document frequencies from the split's own references
    cider_of_surer: float  # of the half with the higher log-probability per token
    cider_of_unsurer: float
    most_repeated: str  # the sentence given for most photos
    repeated: float  # the share of photos it was given for
    distinct: float  # different sentences, as a share of photos
    words: float  # mean length
    milliseconds: float  # CPU time of one thread per photo, pixels to sentences
    examples: tuple[tuple[str, str], ...]  # photo and sentence, spread from best to worst


def evaluate(package: Package, root: Path, split: str) -> Measured:
    """Runs a package over `split` one photo at a time, on one thread."""
    corpus = read_split(root, split)
    candidates, milliseconds = _written(package, root, split, corpus)
    references = [photo.sentences for photo in corpus]
    spoken = [words_of(candidate.text) for candidate in candidates]
    cider = CiderD(references)
    scores = np.array([cider.score(words, photo) for photo, words in enumerate(spoken)])
    sureness = np.array([candidate.log_probability / candidate.tokens for candidate in candidates])
    by_sureness = scores[np.argsort(-sureness, kind="stable")]
    half = len(scores) // 2
    counts = Counter(candidate.text for candidate in candidates)
    most, times = counts.most_common(1)[0]
    return Measured(
        photos=len(corpus),
        bleu=bleu(spoken, references),
        cider=float(scores.mean()),
        cider_of_surer=float(by_sureness[:half].mean()),
        cider_of_unsurer=float(by_sureness[half:].mean()),
        most_repeated=most,
        repeated=times / len(corpus),
        distinct=len(counts) / len(corpus),
        words=sum(map(len, spoken)) / len(spoken),
        milliseconds=milliseconds,
        examples=tuple(
            (corpus[place].photo, candidates[place].text)
            for place in np.argsort(-scores)[np.linspace(0, len(scores) - 1, 9).astype(int)]
        ),
    )


def _written(
    package: Package, root: Path, split: str, corpus: Sequence[Captioned]
) -> tuple[list[Candidate], float]:
    captioner = load(package)
    found: list[Candidate] = []
    spent = 0.0
    names = [photo.photo for photo in corpus]
    try:
        for photo in track(read_photos(root, split, names), split, len(names)):
            start = time.process_time()
            (captions,) = captioner.predict([Pixels(photo)])
            spent += time.process_time() - start
            found.append(cast("Captions", captions).candidates[0])
    finally:
        captioner.close()
    return found, 1000 * spent / len(found)
