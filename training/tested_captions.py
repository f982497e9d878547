"""Captioners, tested by the first sentence about each photo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chassis.images import Pixels
from services.captioner.model import Captions, load
from services.packages import Package
from services.thresholds import ThresholdSet
from training.bootstrap_captions import CAPTION_FIGURES, caption_measures
from training.caption_corpus import words_of
from training.caption_sources import Corpus, flickr
from training.caption_sources import own as own_corpus
from training.tested import Figure, Tested
from training.threshold_fit import FitPolicy


def examples(data: Path, split: str) -> tuple[str, Corpus]:
    """The photos of a split and people's sentences."""
    return split, flickr(data, split)


def own(table: Path, photos: Path | None, package: Package) -> tuple[str, Corpus]:  # noqa: ARG001
    """A table of photos and sentences."""
    return "own", own_corpus(table, photos or table.parent)


def label_ids(examples: tuple[str, Corpus]) -> tuple[str, ...]:  # noqa: ARG001
    """None: sentences have no labels."""
    return ()


def test(package: Package, examples: tuple[str, Corpus], labels: tuple[str, ...]) -> Tested[str]:  # noqa: ARG001
    """Writes a sentence about every photo; captions have no labels."""
    split, corpus = examples
    texts = _written(package, corpus)
    return Tested(
        dataset=corpus.name,
        split=split,
        count=len(corpus.photos),
        unit="photos",
        figures=tuple(Figure(name) for name in CAPTION_FIGURES),
        measures=caption_measures([words_of(text) for text in texts], corpus.references),
        scored={},
        answers=texts,
    )


def disagreement(old: Tested[str], new: Tested[str]) -> Mapping[str, float]:
    """The share of photos about which they say something else."""
    other = sum(a != b for a, b in zip(old.answers, new.answers, strict=True))
    return {"photos": other / len(old.answers)}


def thresholds(package: Package, examples: object, policy: FitPolicy) -> ThresholdSet:  # noqa: ARG001
    """None: raises ValueError."""
    raise ValueError(f"{package.path}: captions have no thresholds")


def _written(package: Package, corpus: Corpus) -> tuple[str, ...]:
    captioner = load(package)
    texts = []
    try:
        for photo in corpus.pixels(corpus.names):
            (captions,) = captioner.predict([Pixels(photo)])
            if not isinstance(captions, Captions):
                raise captions
            texts.append(captions.candidates[0].text)
    finally:
        captioner.close()
    return tuple(texts)
