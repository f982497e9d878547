"""The Keras captioner behind the same search that serving uses."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from services.captioner.beam import Floats, Search, Sentence, State, Words, search
from training.caption_corpus import END, START, UNKNOWN
from training.caption_network import Decoder, Memory
from training.caption_network import State as NetworkState

CANDIDATES = 8  # next words that a step offers for each sentence
# Narrower than what is served: every epoch is scored by it.
RULES = Search(start=START, end=END, never=(START, UNKNOWN), beams=3, length_power=0.7)


class Look(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Features to values, keys and the first state (photos, 1, units), all in float32."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(dtype="float32")
        self._decoder = decoder

    def call(self, features: Any) -> tuple[Any, ...]:
        """Runs the decoder's `look`."""
        memory, state = self._decoder.look(features, 1)
        return tuple(ops.cast(part, "float32") for part in (*memory, *state))


class Step(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """One word further, down to the likeliest next words."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(dtype="float32")
        self._decoder = decoder

    def call(self, words: Any, values: Any, keys: Any, hidden: Any, cell: Any) -> tuple[Any, ...]:
        """Log-probabilities and words (photos, sentences, CANDIDATES), state, attention."""
        memory = Memory(ops.cast(values, self._decoder.compute_dtype), keys)
        scores, state, attention = self._decoder.step(words, memory, NetworkState(hidden, cell))
        best, candidates = ops.top_k(scores, CANDIDATES)
        return best, ops.cast(candidates, "int64"), *state, ops.cast(attention, "float32")


class KerasSpeaker:
    """Writes about photos by their features, for measuring during training."""

    def __init__(self, decoder: Decoder, places: int, channels: int) -> None:
        size = decoder.size
        features = keras.Input((places, channels))
        self._look = keras.Model(features, Look(decoder)(features))
        inputs = (
            keras.Input((None,), dtype="int64"),
            keras.Input((places, size.units)),
            keras.Input((places, size.attention)),
            keras.Input((None, size.units)),
            keras.Input((None, size.units)),
        )
        self._step = keras.Model(inputs, Step(decoder)(*inputs))

    def sentences(
        self, features: NDArray[Any], rules: Search = RULES, batch: int = 128
    ) -> list[tuple[Sentence, ...]]:
        """The best sentences for each photo's features (photos, places, channels)."""
        found: list[tuple[Sentence, ...]] = []
        for first in range(0, len(features), batch):
            seen = features[first : first + batch].astype(np.float32)
            values, keys, *state = (np.asarray(part) for part in self._look.predict_on_batch(seen))
            start = tuple(np.repeat(part, rules.beams, 1) for part in state)
            found += search(_Turn(self._step, values, keys), start, rules)
        return found


class _Turn:
    def __init__(self, step: keras.Model, values: Floats, keys: Floats) -> None:
        self._step, self._values, self._keys = step, values, keys

    def step(
        self, photos: NDArray[np.intp], words: Words, state: State
    ) -> tuple[Floats, Words, State]:
        memory = (self._values[photos], self._keys[photos])
        best, candidates, *after, _ = self._step.predict_on_batch([words, *memory, *state])
        return best, candidates, tuple(after)


def best_words(found: Sequence[tuple[Sentence, ...]]) -> list[tuple[int, ...]]:
    """The first sentence's words for each photo."""
    return [sentences[0].words for sentences in found]
