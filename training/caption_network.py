"""The decoder of the captioner: an LSTM that attends to what the encoder saw.

Show, attend and tell (Xu et al., 2015) with soft attention and a gated context; words are put in
and taken out through the same embedding. The decoder always works on several sentences of each
photo at once, (photos, sentences, ...): people's five in training, the beams in a search.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from training.caption_corpus import START

Tensor = Any  # of whichever backend Keras runs on


class Memory(NamedTuple):
    """What a photo's sentences look at: computed once."""

    values: Tensor  # (photos, places, units)
    keys: Tensor  # (photos, places, attention), in float32


class State(NamedTuple):
    """Where each sentence stands, in float32."""

    hidden: Tensor  # (photos, sentences, units)
    cell: Tensor  # (photos, sentences, units)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the decoder is."""

    units: int = 384  # of the LSTM, and of what it looks at
    width: int = 256  # of a word's embedding
    attention: int = 192  # in which a state is compared with a place


class Decoder(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Features of photos to sentences about them."""

    def __init__(
        self, vocabulary: int, size: Size | None = None, dropout: float = 0.5, **layer: Any
    ) -> None:
        super().__init__(**layer)
        self.vocabulary = vocabulary
        self.size = size or Size()
        units, width = self.size.units, self.size.width
        self._value = keras.layers.Dense(units, "relu", dtype=self.dtype_policy, name="value")
        self._key = keras.layers.Dense(self.size.attention, dtype=self.dtype_policy, name="key")
        self._first = keras.layers.Dense(2 * units, "tanh", dtype=self.dtype_policy, name="first")
        self._word = keras.layers.Dense(4 * units, dtype=self.dtype_policy, name="word")
        self._say = keras.layers.Dense(width, "tanh", dtype=self.dtype_policy, name="say")
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    @property
    def dropout(self) -> float:
        """Share of what is seen, heard and said that is left out in training."""
        return float(self._drop.rate)

    @dropout.setter
    def dropout(self, share: float) -> None:
        self._drop.rate = share

    def build(self, features: tuple[int | None, ...], *_: Any) -> None:
        """Makes the weights for features of that shape, (photos, places, channels)."""
        units, width, attention = self.size.units, self.size.width, self.size.attention
        self._value.build(features)
        self._key.build((None, None, units))
        self._first.build((None, units))
        self._word.build((None, None, None, width))
        self._say.build((None, None, None, 2 * units + width))
        self._embedding = self.add_weight(
            (self.vocabulary, width), keras.initializers.RandomNormal(stddev=0.06), name="embedding"
        )
        self._bias = self.add_weight((self.vocabulary,), "zeros", name="bias")
        # A state's query, context gate and LSTM gates in one product.
        self._from_hidden = self.add_weight(
            (units, attention + 5 * units), "glorot_uniform", name="from_hidden"
        )
        self._from_context = self.add_weight(
            (units, 4 * units), "glorot_uniform", name="from_context"
        )
        self._score = self.add_weight((attention, 1), "glorot_uniform", name="score")
        self.built = True

    def call(self, features: Tensor, words: Tensor, *, training: bool = False) -> Tensor:
        """Logits (photos, sentences, length, vocabulary) of each next word of given sentences.

        `words` (photos, sentences, length) are those sentences; START is put before them here.
        """
        memory, state = self.look(features, words.shape[1], training=training)
        start = ops.full_like(words[:, :, :1], START)
        embedding = self._drop(
            self._embed(ops.concatenate([start, words[:, :, :-1]], 2)), training=training
        )
        gates = self._word(embedding)
        kernels = self._kernels()
        said = []
        for position in range(words.shape[2]):
            state, context, _ = _advance(gates[:, :, position], state, memory, kernels)
            said.append(ops.concatenate([self._cast(state.hidden), context], -1))
        heard = self._drop(ops.stack(said, 2), training=training)
        out = self._say(ops.concatenate([heard, embedding], -1))
        return self._logits(self._drop(out, training=training))

    def look(
        self, features: Tensor, sentences: int, *, training: bool = False
    ) -> tuple[Memory, State]:
        """What is computed once for each photo, and the state that its sentences start from."""
        values = self._drop(self._value(features), training=training)
        first = ops.cast(self._first(ops.mean(values, 1)), "float32")
        first = ops.repeat(ops.expand_dims(first, 1), sentences, 1)
        hidden, cell = ops.split(first, 2, -1)
        keys = ops.cast(self._key(values), "float32")
        return Memory(values, keys), State(hidden, cell)

    def step(self, words: Tensor, memory: Memory, state: State) -> tuple[Tensor, State, Tensor]:
        """One word further: log-probabilities (photos, sentences, vocabulary), state, attention.

        `words` (photos, sentences) are the previous ones; attention is (photos, sentences, places).
        """
        embedding = self._embed(words)
        state, context, attention = _advance(self._word(embedding), state, memory, self._kernels())
        said = ops.concatenate([self._cast(state.hidden), context, embedding], -1)
        return ops.log_softmax(self._logits(self._say(said))), state, attention

    def _embed(self, words: Tensor) -> Tensor:
        return self._cast(ops.take(self._embedding, words, 0))

    def _logits(self, out: Tensor) -> Tensor:
        logits = ops.matmul(out, ops.transpose(self._cast(self._embedding)))
        return ops.cast(logits, "float32") + ops.cast(self._bias, "float32")

    def _kernels(self) -> "_Kernels":
        from_hidden, from_context = self._cast(self._from_hidden), self._cast(self._from_context)
        return _Kernels(from_hidden, from_context, ops.cast(self._score, "float32"))

    def _cast(self, tensor: Tensor) -> Tensor:
        return ops.cast(tensor, self.compute_dtype)


class _Kernels(NamedTuple):
    from_hidden: Tensor
    from_context: Tensor
    score: Tensor


def _advance(
    gates: Tensor, state: State, memory: Memory, kernels: _Kernels
) -> tuple[State, Tensor, Tensor]:
    """The next state, the gated context it was made with, and the attention paid."""
    units = state.hidden.shape[-1]
    attention = kernels.score.shape[0]
    mixed = ops.matmul(ops.cast(state.hidden, gates.dtype), kernels.from_hidden)
    query, gate = mixed[..., :attention], mixed[..., attention : attention + units]
    query = ops.cast(ops.expand_dims(query, 2), "float32")
    compared = ops.tanh(ops.expand_dims(memory.keys, 1) + query)
    weights = ops.softmax(ops.squeeze(ops.matmul(compared, kernels.score), -1))
    context = ops.sigmoid(gate) * ops.matmul(ops.cast(weights, gates.dtype), memory.values)
    gates = gates + mixed[..., attention + units :] + ops.matmul(context, kernels.from_context)
    enter, keep, out, new = ops.split(ops.cast(gates, "float32"), 4, -1)
    # The 1 makes a fresh network remember.
    cell = ops.sigmoid(keep + 1.0) * state.cell + ops.sigmoid(enter) * ops.tanh(new)
    hidden = ops.sigmoid(out) * ops.tanh(cell)
    return State(hidden, cell), context, weights
