"""Photos with sentences about them: Flickr8k's, or a team's own table and folder."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from chassis.images import ImageLimits, decode
from training.caption_corpus import Captioned, read_photos, read_split, words_of
from training.own_photos import check_photos, read_table
from training.photo_changes import Photo

FLICKR: Final = "Flickr8k"

_MAX_SIDE: Final = 320  # as photos reach the captioner that is served
_COLUMNS: Final = {"image", "caption"}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Photos by name, what people wrote about them, and the way to their pixels."""

    name: str
    photos: tuple[Captioned, ...]
    pixels: Callable[[Iterable[str]], Iterator[Photo]]  # of photos by name, in that order

    @property
    def names(self) -> tuple[str, ...]:
        """Every photo's."""
        return tuple(photo.photo for photo in self.photos)

    @property
    def references(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """People's sentences about every photo."""
        return tuple(photo.sentences for photo in self.photos)

    def of(self, places: Sequence[int]) -> "Corpus":
        """Some of the photos."""
        return replace(self, photos=tuple(self.photos[place] for place in places))


def flickr(root: Path, split: str) -> Corpus:
    """A split of Flickr8k."""
    return Corpus(FLICKR, read_split(root, split), partial(read_photos, root, split))


def own(table: Path, folder: Path) -> Corpus:
    """A CSV file (columns image, caption; a row for each sentence) and the photos it names.

    Raises ValueError for a table without such rows and for photos that cannot be read,
    FileNotFoundError for photos not in `folder`.
    """
    sentences: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    with read_table(table) as lines:
        rows = csv.DictReader(lines)
        if not _COLUMNS.issubset(rows.fieldnames or ()):
            raise ValueError(f"{table}: needs the columns image and caption in its first line")
        for row in rows:
            if words := words_of(row["caption"] or ""):
                sentences[row["image"]].append(words)
    if not sentences:
        raise ValueError(f"{table}: holds no sentence")
    if missing := sorted(name for name in sentences if not (folder / name).is_file()):
        raise FileNotFoundError(f"{folder} lacks {len(missing)} photos, such as {missing[0]}")
    check_photos(folder / name for name in sorted(sentences))
    photos = tuple(Captioned(name, tuple(sentences[name])) for name in sorted(sentences))
    return Corpus(table.stem, photos, partial(_read, folder))


def parted(corpus: Corpus, held_out: float) -> tuple[Corpus, Corpus]:
    """The photos to learn from, and a share of them to measure on.

    A photo's part hangs on its name alone, so it stays there when others come. Raises ValueError
    if either part would be empty.
    """
    inside = [_fraction(name) >= held_out for name in corpus.names]
    parts = tuple(
        corpus.of([place for place, one in enumerate(inside) if one is kind])
        for kind in (True, False)
    )
    if not all(part.photos for part in parts):
        raise ValueError(f"{len(inside)} photos are too few to hold out {held_out:.0%} of them")
    return parts[0], parts[1]


def _fraction(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def _read(folder: Path, names: Iterable[str]) -> Iterator[Photo]:
    for name in names:
        yield decode((folder / name).read_bytes(), _MAX_SIDE, ImageLimits()).pixels.array
