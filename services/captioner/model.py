"""The captioner: photos in, sentences out, through an encoder, a decoder, and a beam search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.captioner.attention import ATTENTION, Dictation, Memory, grid
from services.captioner.beam import Floats, Search, Sentence, State, Words, search
from services.model import ModelError
from services.packages import InvalidPackage, Package
from services.runtimes import Network
from services.schema import REST

ENCODER: Final = "encoder"  # photos to what a decoder looks at, and its first state
DECODER: Final = "decoder"  # one word further
VOCABULARY: Final = "vocabulary"  # one word per line; a word's number is its line

_MOST_EXPONENT: Final = 700.0  # of e: larger ones are no number; the confidence is 0 by then

MEMORY: Final = ("values", "keys")  # outputs of the encoder, inputs of every step
STATE: Final = ("hidden", "cell")  # likewise; what a step returns is named next_hidden, next_cell


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence about a photo."""

    text: str  # begins with a capital letter and ends with a full stop
    log_probability: float  # natural logarithm, summed over the tokens
    tokens: int  # words, and the end of the sentence
    confidence: float | None = None  # in [0, 1]; None from a package without calibration


@dataclass(frozen=True, slots=True)
class Captions:
    """The sentences found for a photo, best first: by log-probability for their length."""

    candidates: tuple[Candidate, ...]


class Captioner:
    """An encoder, a decoder and their words, with the package they came from."""

    def __init__(self, package: Package, encoder: Network, decoder: Network) -> None:
        self._package = package
        self._encoder, self._decoder = encoder, decoder
        shape = package.manifest.preprocessing
        self._size = (shape.width, shape.height)
        self._mean = np.array(shape.mean, np.float32)
        self._std = np.array(shape.std, np.float32)
        self._channels_first = shape.layout == "NCHW"
        self._words = tuple(package.file(VOCABULARY).read_text(encoding="utf-8").splitlines())
        self._rules = _rules(package)
        self._calibration = package.manifest.calibration.get(REST)
        self._explainer: Dictation | None = None

    @property
    def package(self) -> Package:
        """The package it was loaded from."""
        return self._package

    @property
    def max_side(self) -> int:
        """Longest side of a photo that it makes use of, in pixels."""
        return self._package.manifest.max_side

    @property
    def explainer(self) -> Dictation | None:
        """What explains its sentences; None until `learn_to_explain` has found a way."""
        return self._explainer

    def learn_to_explain(self) -> None:
        """Has one word said: if the decoder tells where it looked, sentences can be explained."""
        memory, state = self._look(Pixels(np.zeros((16, 16, 3), np.uint8)))
        words = np.array([[self._rules.start]], np.int64)
        seen = self._decoder.run({"words": words, **memory, **state}).get(ATTENTION)
        places = None if seen is None else grid(seen.shape[-1], *self._size)
        if places is not None:
            self._explainer = Dictation(
                self._look, self._decoder, self._words, self._rules.start, places
            )

    def predict(self, batch: Sequence[Pixels]) -> tuple[Captions | ModelError, ...]:
        """Writes about each photo; one whose features are not finite is a ModelError."""
        if not batch:
            return ()
        seen = self._encoder.run({"images": np.stack([self._prepare(photo) for photo in batch])})
        sound = [bool(np.isfinite(values).all()) for values in seen[MEMORY[0]]]
        memory = {name: seen[name][sound] for name in MEMORY}
        state = tuple(np.repeat(seen[name][sound], self._rules.beams, 1) for name in STATE)
        found = iter(search(_Pen(self._decoder, memory), state, self._rules))
        return tuple(
            Captions(tuple(map(self._read, next(found))))
            if ok
            else ModelError("the network's features of this photo are not finite")
            for ok in sound
        )

    def close(self) -> None:
        """Gives its memory back; predicts nothing after."""
        self._encoder.close()
        self._decoder.close()

    def _look(self, photo: Pixels) -> tuple[Memory, Memory]:
        """What the decoder looks at in a photo, and the state that one sentence starts from."""
        seen = self._encoder.run({"images": self._prepare(photo)[None]})
        return {name: seen[name] for name in MEMORY}, {name: seen[name] for name in STATE}

    def _prepare(self, photo: Pixels) -> Floats:
        # Squashed, since the photos it learnt from were; averaged where that makes it smaller.
        squashed = cv2.resize(photo.array, self._size, interpolation=cv2.INTER_AREA)
        scaled = (squashed.astype(np.float32) - self._mean) / self._std
        return scaled.transpose(2, 0, 1) if self._channels_first else scaled

    def _read(self, sentence: Sentence) -> Candidate:
        text = " ".join(self._words[word] for word in sentence.words).replace(" '", "'")
        return Candidate(
            f"{text[:1].upper()}{text[1:]}.",
            sentence.log_probability,
            sentence.tokens,
            self._confidence(sentence),
        )

    def _confidence(self, sentence: Sentence) -> float | None:
        if self._calibration is None:
            return None
        mean = sentence.log_probability / sentence.tokens
        odds = mean * self._calibration.scale + self._calibration.offset
        return 1 / (1 + exp(min(-odds, _MOST_EXPONENT)))


class _Pen:
    """A decoder with what it looks at while it writes about one batch."""

    def __init__(self, decoder: Network, memory: dict[str, Floats]) -> None:
        self._decoder = decoder
        self._memory = memory
        self._photos = len(memory[MEMORY[0]])

    def step(
        self, photos: NDArray[np.intp], words: Words, state: State
    ) -> tuple[Floats, Words, State]:
        """See `services.captioner.beam.Speaker`."""
        memory = self._memory
        if len(photos) < self._photos:
            memory = {name: values[photos] for name, values in memory.items()}
        said = self._decoder.run({"words": words, **memory, **dict(zip(STATE, state, strict=True))})
        after = tuple(said[f"next_{name}"] for name in STATE)
        return said["log_probabilities"], said["candidates"], after


def load(package: Package, runtime: str | None = None, threads: int = 1) -> Captioner:
    """Loads a caption package; InvalidPackage if it is not whole."""
    encoder = package.network(ENCODER, runtime, threads)
    captioner = Captioner(package, encoder, package.network(DECODER, runtime, threads))
    captioner.learn_to_explain()
    return captioner


def _rules(package: Package) -> Search:
    names = {field.name for field in fields(Search)}
    given = {name: value for name, value in package.manifest.parameters.items() if name in names}
    try:
        return Search(**given)  # type: ignore[arg-type]  # the manifest's are of any kind
    except (TypeError, ValueError) as error:
        raise InvalidPackage(f"{package.path}: parameters: {error}") from None
