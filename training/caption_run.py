"""A training run's folder: features, vocabulary and checkpoints, and the networks made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from numpy.typing import NDArray

from training.caption_batches import LENGTH, SENTENCES, encode, shuffled
from training.caption_corpus import Captioned, Vocabulary, read_split
from training.caption_export import export, restore
from training.caption_features import BATCH, frozen_maps
from training.caption_network import Decoder, eye
from training.caption_reward import Critic, Draw, rehearse
from training.caption_scores import CiderD
from training.caption_speaker import KerasSpeaker, best_words
from training.caption_stages import Stage, compiled, run, smoothed, surprise, teach

PHOTOS = 32  # of a batch, each with all its sentences
LEAST = 4  # times a word occurs before it is learnt
WORDS_FILE = "vocabulary.txt"


@dataclass(frozen=True, slots=True)
class _Learner:
    decoder: Decoder
    model: keras.Model  # features and sentences to logits
    vocabulary: Vocabulary


def train(
    root: Path, folder: Path, epochs: int, rehearsals: int, seed: int, init: Path | None
) -> None:
    """Runs both stages, or what is left of them, and leaves the best weights in `folder`."""
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    photos = read_split(root, "train")
    vocabulary = Vocabulary.read(init / WORDS_FILE) if init else Vocabulary.of(photos, LEAST)
    vocabulary.write(folder / WORDS_FILE)
    views = features(root, folder, "train")
    learner = _learner(vocabulary, views.shape[2:], "mixed_bfloat16")
    if init:
        restore(init, learner.decoder)
    score = _scorer(root, folder, learner)
    steps = len(photos) // PHOTOS
    words = encode(photos, vocabulary)

    stage = Stage("sentences", epochs, rate=1e-3)
    compiled(learner.model, smoothed, stage.rate, steps * epochs)
    run(
        stage,
        folder,
        learner.model,
        lambda epoch: teach(learner.model, shuffled(views, words, PHOTOS, (seed, epoch)), steps),
        score,
    )
    _rehearse(learner, photos, views, Stage("reward", rehearsals, rate=1e-4), folder, seed, score)


def write_networks(folder: Path, package: Path) -> None:
    """Writes the ONNX files and the vocabulary of a package from a run's best weights so far."""
    vocabulary = Vocabulary.read(folder / WORDS_FILE)
    sight = eye()
    learner = _learner(vocabulary, sight.output.shape[1:], "float32")
    latest = max(folder.glob("*-best.weights.h5"), key=lambda path: path.stat().st_mtime)
    learner.model.load_weights(latest)
    export(sight, learner.decoder, package)
    vocabulary.write(package / WORDS_FILE)


def features(root: Path, folder: Path, split: str) -> NDArray[np.float16]:
    """What the encoder sees in a split's photos, (photos, 2, places, channels), kept on disk."""
    path = folder / f"features-{split}.npy"
    if not path.exists():
        maps, network = frozen_maps(root, folder, split), eye()
        unfinished = path.with_suffix(".part")
        shape = (*maps.shape[:2], *network.output.shape[1:])
        found = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
        for first in range(0, len(maps), BATCH):
            for view in range(2):
                batch = maps[first : first + BATCH, view].astype(np.float32)
                found[first : first + BATCH, view] = network.predict_on_batch(batch)
        found.flush()
        unfinished.rename(path)
    return cast("NDArray[np.float16]", np.load(path))


def _rehearse(
    learner: _Learner,
    photos: Sequence[Captioned],
    views: NDArray[np.float16],
    stage: Stage,
    folder: Path,
    seed: int,
    score: Callable[[], float],
) -> None:
    seen = keras.Input(views.shape[2:])
    draw = keras.Model(seen, Draw(learner.decoder, SENTENCES, seed)(seen))
    critic = Critic(photos, learner.vocabulary)
    compiled(learner.model, surprise, stage.rate, len(photos) // PHOTOS * stage.epochs)
    run(
        stage,
        folder,
        learner.model,
        lambda epoch: rehearse(learner.model, draw, critic, views, PHOTOS, (seed + 1, epoch)),
        score,
    )


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
