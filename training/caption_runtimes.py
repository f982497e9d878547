"""Do the captioner's figures survive the way from Keras to what is served?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.packages import Package, open_package, write_manifest
from training import native
from training.bootstrap import Difference, Estimate, differences, estimates
from training.bootstrap_captions import caption_measures
from training.caption_evaluation import Written, write
from training.caption_export import export
from training.caption_learner import Learner
from training.caption_scores import CiderD
from training.caption_sources import Corpus


@dataclass(frozen=True, slots=True)
class Runtime:
    """The same network under one runtime, on the same photos."""

    name: str
    bleu: Estimate  # BLEU-4
    cider: Estimate
    bleu_change: Difference  # against Keras
    cider_change: Difference
    same: float  # share of photos with the same sentence as Keras's


def runtimes(learner: Learner, package: Package, served: Written) -> Iterator[Runtime]:
    """Keras as trained, the export in 32 bits, and what `package` wrote about the same photos."""
    corpus = served.corpus
    with tempfile.TemporaryDirectory() as scratch:
        exact = _in_full(learner, package, Path(scratch) / "exact")
        keras = native.hosted(exact, Path(scratch) / "keras")
        found = {
            "Keras (TensorFlow), 32 bits": write(keras, corpus),
            "onnxruntime, weights in 32 bits": write(exact, corpus),
            "onnxruntime, weights stored in 16 bits (served)": served,
        }
    yield from _compared(found, corpus)


def _compared(found: dict[str, Written], corpus: Corpus) -> Iterator[Runtime]:
    cider = CiderD(corpus.references)
    first, count = next(iter(found.values())), len(corpus.photos)
    before = caption_measures(first.sentences, corpus.references, cider)
    for name, one in found.items():
        after = caption_measures(one.sentences, corpus.references, cider)
        *_, bleu, score = estimates(after, count)
        *_, bleu_change, change = differences(before, after, count)
        pairs = zip(first.sentences, one.sentences, strict=True)
        same = sum(a == b for a, b in pairs) / count
        yield Runtime(name, bleu, score, bleu_change, change, same)


def _in_full(learner: Learner, package: Package, folder: Path) -> Package:
    """The package with the weights as they were trained."""
    shutil.copytree(package.path, folder)
    export(learner.eye, learner.decoder, folder, half=False)
    fields = package.manifest.model_dump(mode="json", by_alias=True)
    artifacts = {key: {"path": one["path"]} for key, one in fields["artifacts"].items()}
    write_manifest(folder, fields | {"artifacts": artifacts})
    return open_package(folder)
