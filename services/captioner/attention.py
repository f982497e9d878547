"""Explains a sentence: where the decoder looked when it chose each word.

K. Xu et al., "Show, Attend and Tell", 2015. The sentence is dictated to the decoder once more, so
that the search that wrote it need not remember, and costs no more for those who do not ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.model import Box, Heatmap, Method, ModelError
from services.runtimes import Network

if TYPE_CHECKING:
    from services.captioner.model import Captions

ATTENTION: Final = "attention"  # output of the decoder, (photos, beams, places)
_MOST: Final = 32  # rows or columns of a map
_PHOTO: Final = Box(0.0, 0.0, 1.0, 1.0)

Memory = Mapping[str, NDArray[np.float32]]


class Dictation:
    """Dictates sentences to a decoder and notes its attention."""

    method = Method.ATTENTION

    def __init__(
        self,
        look: Callable[[Pixels], tuple[Memory, Memory]],
        decoder: Network,
        words: Sequence[str],
        start: int,
        grid: tuple[int, int],
    ) -> None:
        """`look` gives what the decoder looks at in a photo, and the state it starts from."""
        self._look = look
        self._decoder = decoder
        self._numbers = {word: number for number, word in enumerate(words)}
        self._start = start
        self._grid = grid

    def explain(self, pixels: Pixels, part: Captions) -> Iterator[tuple[Heatmap, ...]]:
        """A map of each word of the first sentence, over the whole photo.

        Raises ModelError for a sentence with words that the vocabulary lacks.
        """
        for best in part.candidates[:1]:
            words = tuple(self._spelt(best.text))
            memory, state = self._look(pixels)
            yield ()
            yield tuple(self._dictated(words, memory, state))

    def _dictated(self, words: Sequence[str], memory: Memory, state: Memory) -> Iterator[Heatmap]:
        said = self._start
        for word in words:
            last = np.array([[said]], np.int64)
            answer = self._decoder.run({"words": last, **memory, **state})
            if not np.isfinite(answer[ATTENTION]).all():
                raise ModelError(f"the decoder's attention for {word!r} is not finite")
            yield Heatmap(_PHOTO, answer[ATTENTION].reshape(self._grid), word=word)
            state = {name: answer[f"next_{name}"] for name in state}
            said = self._numbers[word]

    def _spelt(self, text: str) -> Iterator[str]:
        """The words of a sentence as the vocabulary has them: "Man's." are two."""
        if text.split()[0] not in self._numbers:
            text = f"{text[:1].lower()}{text[1:]}"
        for piece in text.removesuffix(".").split():
            stem, mark, ending = piece.partition("'")
            parts = (piece,) if piece in self._numbers else (stem, f"{mark}{ending}")
            for word in filter(None, parts):
                if word not in self._numbers:
                    raise ModelError(f"the vocabulary lacks {word!r}")
                yield word


def grid(places: int, width: int, height: int) -> tuple[int, int] | None:
    """Rows and columns of so many places over a photo squashed to a size; None if none fit.

    Nor do more than _MOST rows or columns: an answer would grow beyond what the contract says.
    """
    rows = round((places * height / width) ** 0.5)
    if not rows or places % rows or max(rows, places // rows) > _MOST:
        return None
    return rows, places // rows
