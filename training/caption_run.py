"""A training run's folder: features, vocabulary and checkpoints, and the networks made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.caption_batches import LENGTH, SENTENCES, encode, shuffled
from training.caption_corpus import LEAST, Captioned, Vocabulary, read_split
from training.caption_export import export, restore
from training.caption_features import features, sight
from training.caption_network import Decoder
from training.caption_reward import Critic, Draw, rehearse, tempered
from training.caption_scores import CiderD
from training.caption_speaker import KerasSpeaker, best_words
from training.caption_stages import Stage, compiled, run, smoothed, teach

# People's sentences first, word by word; then drawn ones, rewarded as a whole.
LEARNING = (
    Stage("first", number=0, epochs=7, batch=32, rate=1e-3, dropout=0.5),
    Stage("second", number=1, epochs=3, batch=16, rate=5e-4, dropout=0.3),
)
REWARD = Stage("reward", number=2, epochs=4, batch=32, rate=1e-4, dropout=0.3)
WORDS_FILE = "vocabulary.txt"


@dataclass(frozen=True, slots=True)
class _Learner:
    decoder: Decoder
    model: keras.Model  # features and sentences to logits
    vocabulary: Vocabulary


def train(root: Path, folder: Path, seed: int, init: Path | None) -> None:
    """Runs every stage, or what is left of them, and leaves the best weights in `folder`.

    With `init`, a package to start from, learning begins at its second stage.
    """
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    photos = read_split(root, "train")
    vocabulary = Vocabulary.read(init / WORDS_FILE) if init else Vocabulary.of(photos, LEAST)
    vocabulary.write(folder / WORDS_FILE)
    views = features(root, folder, "train")
    learner = _learner(vocabulary, views.shape[2:], "mixed_bfloat16")
    if init:
        restore(init, sight(), learner.decoder)
    score = _scorer(root, folder, learner)
    words = encode(photos, vocabulary)
    for stage in LEARNING[1 if init else 0 :]:
        _begin(learner, stage, smoothed, len(photos))
        run(
            stage, folder, learner.model, partial(_learn, learner, stage, views, words, seed), score
        )
    draw = Draw.model(learner.decoder, views.shape[2:], SENTENCES, seed)
    critic = Critic(photos, vocabulary)
    _begin(learner, REWARD, tempered, len(photos))
    run(
        REWARD,
        folder,
        learner.model,
        lambda epoch: rehearse(
            learner.model, draw, critic, views, REWARD.batch, (seed, REWARD.number, epoch)
        ),
        score,
    )


def write_networks(folder: Path, package: Path) -> None:
    """Writes the ONNX files and the vocabulary of a package from a run's best weights so far."""
    vocabulary = Vocabulary.read(folder / WORDS_FILE)
    eye = sight()
    _, rows, columns, channels = eye.output.shape
    learner = _learner(vocabulary, (rows * columns, channels), "float32")
    latest = max(folder.glob("*-best.weights.h5"), key=lambda path: path.stat().st_mtime)
    learner.model.load_weights(latest)
    export(eye, learner.decoder, package)
    vocabulary.write(package / WORDS_FILE)


def _begin(learner: _Learner, stage: Stage, loss: Callable[..., Any], photos: int) -> None:
    learner.decoder.dropout = stage.dropout
    compiled(learner.model, loss, stage.rate, photos // stage.batch * stage.epochs)


def _learn(
    learner: _Learner,
    stage: Stage,
    views: NDArray[np.float16],
    words: NDArray[np.int32],
    seed: int,
    epoch: int,
) -> None:
    batches = shuffled(views, words, stage.batch, (seed, stage.number, epoch))
    teach(learner.model, batches, len(views) // stage.batch)


def _learner(vocabulary: Vocabulary, seen: tuple[int, ...], policy: str) -> _Learner:
    decoder = Decoder(len(vocabulary), dtype=policy, name="decoder")
    inputs = keras.Input(seen), keras.Input((SENTENCES, LENGTH), dtype="int32")
    return _Learner(decoder, keras.Model(inputs, decoder(*inputs)), vocabulary)


def _scorer(root: Path, folder: Path, learner: _Learner) -> Callable[[], float]:
    """Measures CIDEr-D on val."""
    photos: tuple[Captioned, ...] = read_split(root, "val")
    views: NDArray[Any] = features(root, folder, "val")[:, 0]
    cider = CiderD([photo.sentences for photo in photos])
    speaker = KerasSpeaker(learner.decoder, *views.shape[1:])

    def score() -> float:
        found = best_words(speaker.sentences(views))
        return cider.mean(learner.vocabulary.decode(words) for words in found)

    return score
