"""What a round of review leaves: sheets and judgements in one folder, its key in another.

The key says which face has which number, and why; it stays shut until the judgements are written.
"""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from training.faces_reviewed import JUDGEMENTS, Review
from training.review_selection import DISAGREEMENT, Selected

JUDGED: Final = "judgements.csv"


class InvalidReview(Exception):
    """Judgements that do not fit their key."""


@dataclass(frozen=True, slots=True)
class Round:
    """One set of sheets, judged or not yet."""

    folder: Path  # for the reviewer
    key: Path  # for nobody before the judgements are written

    @classmethod
    def named(cls, name: str, output: Path) -> "Round":
        """The round of that name below `output`."""
        return cls(folder=output / name, key=output / "keys" / f"{name}.csv")

    def write_key(self, selected: Sequence[Selected]) -> None:
        """Keeps who is behind each number; numbers begin at 1."""
        self.key.parent.mkdir(parents=True, exist_ok=True)
        with self.key.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("index", "file", "reasons"))
            for index, one in enumerate(selected, 1):
                writer.writerow((index, one.file, " ".join(one.reasons)))

    def read_key(self) -> Mapping[str, Selected]:
        """Who is behind each number."""
        return {
            row["index"]: Selected(row["file"], tuple(row["reasons"].split()))
            for row in _rows(self.key)
        }

    def judgements(self) -> Mapping[str, str]:
        """By file, in the key's order, what the reviewer saw.

        Raises InvalidReview for a face without judgement, a judgement without face, one given
        twice, and any other word than those of JUDGEMENTS.
        """
        key = self.read_key()
        path = self.folder / JUDGED
        judged: dict[str, str] = {}
        for row in _rows(path):
            index, judgement = row["index"], row["judgement"]
            if index not in key:
                raise InvalidReview(f"{path}: {index} is on no sheet")
            if index in judged:
                raise InvalidReview(f"{path}: {index} is judged twice")
            if judgement not in JUDGEMENTS:
                raise InvalidReview(f"{path}: {index} is {judgement!r}, not {_alternatives()}")
            judged[index] = judgement
        missing = [index for index in key if index not in judged]
        if missing:
            raise InvalidReview(f"{path}: {len(missing)} faces are not judged: {missing[0]}...")
        return {one.file: judged[index] for index, one in key.items()}


def joined(rounds: Iterable[Round]) -> tuple[Review, ...]:
    """All rounds as one, in order: a face that comes again brings its second judgement."""
    reviews: dict[str, Review] = {}
    for one in rounds:
        reasons = {selected.file: selected.reasons for selected in one.read_key().values()}
        for file, judgement in one.judgements().items():
            before = reviews.get(file)
            if before is None:
                reviews[file] = Review(file, judgement, "", reasons[file])
            elif before.second:
                raise InvalidReview(f"{one.folder}: {file} is judged a third time")
            else:
                reviews[file] = replace(before, second=judgement)
    return tuple(reviews.values())


def disputed(reviews: Iterable[Review], files: Collection[str]) -> tuple[Review, ...]:
    """Notes which faces a network disagrees about that was not there when they were chosen."""
    return tuple(
        replace(review, reasons=(DISAGREEMENT, *(r for r in review.reasons if r != DISAGREEMENT)))
        if review.file in files
        else review
        for review in reviews
    )


def read_scores(paths: Iterable[Path]) -> Mapping[str, Sequence[float]]:
    """By file, the scores of all networks in all tables."""
    scores: dict[str, list[float]] = {}
    for path in paths:
        for row in _rows(path):
            name = row.pop("file")
            scores.setdefault(name, []).extend(float(score) for score in row.values())
    return scores


def write_scores(path: Path, network: str, scores: Mapping[str, float]) -> None:
    """Writes one network's scores."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", network))
        writer.writerows((name, f"{score:.6f}") for name, score in scores.items())


def _rows(path: Path) -> tuple[dict[str, str], ...]:
    if not path.exists():
        raise InvalidReview(f"{path} is missing")
    with path.open(newline="") as file:
        return tuple(csv.DictReader(file))


def _alternatives() -> str:
    return f"{', '.join(JUDGEMENTS[:-1])} or {JUDGEMENTS[-1]}"
