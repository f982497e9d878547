"""A training run: which stages there are, from what, and the networks made of them."""

from pathlib import Path
from typing import Final

import keras

from services.manifest import FILE
from training.begun import begin, digest
from training.caption_corpus import LEAST, Vocabulary
from training.caption_export import export, restore
from training.caption_learner import Learner
from training.caption_sources import Corpus
from training.caption_stages import Stage

# People's sentences first, word by word; then drawn ones, rewarded as a whole.
READING: Final = (
    Stage("first", number=0, epochs=7, batch=32, rate=1e-3, dropout=0.5),
    Stage("second", number=1, epochs=3, batch=16, rate=5e-4, dropout=0.3),
)
REWARD: Final = Stage("reward", number=2, epochs=4, batch=32, rate=1e-4, dropout=0.3)
STAGES: Final = (*READING, REWARD)

WORDS_FILE: Final = "vocabulary.txt"


def train(corpus: Corpus, val: Corpus, folder: Path, seed: int) -> None:
    """Runs every stage, or what is left of them, and leaves the best weights in `folder`.

    Raises ValueError if the folder holds a run of other photos, sentences or another seed.
    """
    begin(folder, _facts(corpus, val, seed))
    keras.utils.set_random_seed(seed)
    learner = _learner(folder, Vocabulary.of(corpus.photos, LEAST))
    for stage in READING:
        learner.read(stage, corpus, val, seed)
    learner.rehearse(REWARD, corpus, val, seed)


def finetune(init: Path, corpus: Corpus, val: Corpus, folder: Path, seed: int, epochs: int) -> int:
    """Goes on from a package, on other photos and sentences; how many words it learnt anew.

    Raises ValueError if the folder holds a run of others, or from another package.
    """
    manifest = (init / FILE).read_bytes()
    begin(folder, _facts(corpus, val, seed) | {"package to start from": digest([manifest])})
    keras.utils.set_random_seed(seed)
    known = Vocabulary.read(init / WORDS_FILE)
    vocabulary = known.joined(Vocabulary.of(corpus.photos, LEAST))
    learner = _learner(folder, vocabulary)
    restore(init, learner.eye, learner.decoder)
    learner.look(own_stage(epochs, len(corpus.photos)), corpus, val, seed)
    return len(vocabulary) - len(known)


def own_stage(epochs: int = 0, photos: int = 1) -> Stage:
    """The only stage of fine-tuning."""
    batch = min(16, photos)
    return Stage("own", number=3, epochs=epochs, batch=batch, rate=2e-4, dropout=0.3, looks=True)


def learnt(folder: Path) -> Learner:
    """Eye and decoder with a run's best weights so far, computing in float32."""
    learner = Learner(folder, Vocabulary.read(folder / WORDS_FILE), "float32")
    learner.take_up(*STAGES, own_stage())
    return learner


def write_networks(learner: Learner, package: Path) -> None:
    """Writes the ONNX files and the vocabulary of a package."""
    export(learner.eye, learner.decoder, package)
    learner.vocabulary.write(package / WORDS_FILE)


def _facts(corpus: Corpus, val: Corpus, seed: int) -> dict[str, str | int]:
    return {
        "photos or sentences": _digest(corpus),
        "held-out photos or sentences": _digest(val),
        "seed": seed,
    }


def _digest(corpus: Corpus) -> str:
    return digest(
        " ".join(words) for one in corpus.photos for words in ((one.photo,), *one.sentences)
    )


def _learner(folder: Path, vocabulary: Vocabulary) -> Learner:
    vocabulary.write(folder / WORDS_FILE)
    return Learner(folder, vocabulary, "mixed_bfloat16")
