"""Self-critical training (Rennie et al., 2017): sentences that score better become likelier.

A few sentences are drawn for each photo, scored by CIDEr-D against people's, and weighted by how
much better each is than the mean of the others (Luo, 2020).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from tqdm import tqdm

from training.caption_batches import LENGTH, token_weights, views_of
from training.caption_corpus import END, START, UNKNOWN, Captioned, Vocabulary
from training.caption_network import Decoder, Tensor
from training.caption_scores import CiderD

# A network taught with smoothed targets spreads its bets; sharpened, it draws sensible sentences.
TEMPERATURE = 0.6
FULL_STOP = "<end>"  # scored like a word, so that no sentence ends in "in a"


class Draw(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Features to sentences drawn at random, (photos, sentences, LENGTH); END fills them up."""

    def __init__(self, decoder: Decoder, sentences: int, seed: int) -> None:
        super().__init__(dtype="float32")
        self._decoder, self._sentences = decoder, sentences
        self._random = keras.random.SeedGenerator(seed)

    def call(self, features: Tensor) -> Tensor:
        """Draws word by word."""
        memory, state = self._decoder.look(features, self._sentences)
        words = ops.full((ops.shape(features)[0], self._sentences), START, dtype="int32")
        never = np.zeros(self._decoder.vocabulary, np.float32)
        never[[START, UNKNOWN]] = -np.inf
        ended = ops.zeros_like(words, dtype="bool")
        drawn = []
        for _ in range(LENGTH):
            scores, state, _ = self._decoder.step(words, memory, state)
            flat = ops.reshape(scores / TEMPERATURE + never, (-1, self._decoder.vocabulary))
            words = ops.reshape(
                keras.random.categorical(flat, 1, dtype="int32", seed=self._random),
                (-1, self._sentences),
            )
            words = ops.where(ended, END, words)
            ended = ops.logical_or(ended, words == END)
            drawn.append(words)
        return ops.stack(drawn, 2)

    @classmethod
    def model(
        cls, decoder: Decoder, seen: tuple[int, ...], sentences: int, seed: int
    ) -> keras.Model:
        """A model that draws, for features (photos, *seen)."""
        features = keras.Input(seen)
        return keras.Model(features, cls(decoder, sentences, seed)(features))


def tempered(truth: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of each word under the sharpened distribution that sentences are drawn from."""
    scores = ops.log_softmax(logits / TEMPERATURE)
    return -ops.squeeze(
        ops.take_along_axis(scores, ops.expand_dims(ops.cast(truth, "int32"), -1), -1), -1
    )


class Critic:
    """Scores drawn sentences by people's sentences about the same photos."""

    def __init__(self, photos: Sequence[Captioned], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._cider = CiderD(
            [[(*words, FULL_STOP) for words in photo.sentences] for photo in photos]
        )

    def advantages(
        self, photos: NDArray[np.intp], drawn: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], float]:
        """How much better each is than its photo's others, (photos, sentences); the mean score."""
        scores = np.array(
            [
                [self._cider.score(self._spoken(words), int(photo)) for words in sentences]
                for photo, sentences in zip(photos, drawn, strict=True)
            ],
            np.float32,
        )
        others = scores.shape[1] / (scores.shape[1] - 1)
        return (scores - scores.mean(1, keepdims=True)) * others, float(scores.mean())

    def _spoken(self, words: NDArray[np.int32]) -> tuple[str, ...]:
        ended = (FULL_STOP,) if (words == END).any() else ()
        return (*self._vocabulary.decode(words), *ended)


def rehearse(
    model: keras.Model,
    draw: keras.Model,
    critic: Critic,
    views: Any,
    batch: int,
    seed: tuple[int, ...],
) -> None:
    """One epoch over all photos, each as it is or mirrored by chance.

    `model` takes features and sentences and was compiled with `tempered`: weighted by their
    advantages, drawn sentences give the policy's gradient. `views` are features (photos, 2, ...).
    """
    bar = tqdm(views_of(views, batch, seed), total=len(views) // batch)
    mean = 0.0
    for photos, seen in bar:
        drawn = draw.predict_on_batch(seen)
        advantages, score = critic.advantages(photos, drawn)
        weights = token_weights(drawn)
        weights *= advantages[:, :, None] * (weights.size / weights.sum())
        model.train_on_batch([seen, drawn], drawn, sample_weight=weights)
        mean = score if not mean else 0.95 * mean + 0.05 * score
        bar.set_postfix_str(f"score {mean:.3f}")
