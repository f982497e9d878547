"""Reviews the smiling labels: sheets for a reviewer who knows nothing, then the reviewed labels.

    python -m training.review_scores package models/attributes/1.1.0 scores.csv --split test
    python -m training.review sheets --scores scores.csv --split test --round test-1 --random 200
        ... the reviewer writes build/review/test-1/judgements.csv: index,judgement ...
    python -m training.review again --split test --rounds test-1 --round test-again
        ... and again ...
    python -m training.review apply --split test --rounds test-1,test-again --scores scores.csv
    python -m training.review accuracy --split test --scores scores.csv

A scores file has the columns `file` and one per network, the calibrated probability of a smile.
Judgements are smiling, neutral or unclear. Pictures stay below `--output`; what the repository
keeps is training/labels/: names, judgements and reasons.
"""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click
import cv2

from training.faces_data import Faces
from training.faces_reviewed import FOLDER, Review, read_reviews, write_reviews
from training.review_accuracy import accuracies
from training.review_records import InvalidReview, Round, disputed, joined, read_scores
from training.review_selection import Selected, disagreements, select, select_again
from training.review_sheets import sheets
from training.review_split import Split, of_a_split
from training.review_summary import summary

_output = click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/review"),
    show_default=True,
    help="Folder of sheets, judgements and keys.",
)
_round = click.option("--round", "name", required=True, help="Name of the new set of sheets.")
_rounds = click.option(
    "--rounds", default="", help="Names of judged sets, in the order judged, with commas."
)
_scores = click.option(
    "--scores",
    "paths",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    required=True,
    help="Scores of one or more networks.",
)
_kept = click.option(
    "--labels",
    "kept",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    help="Folder of reviewed labels; training/labels unless given.",
)
_seed = click.option("--seed", default=1, show_default=True)


@click.group()
def main() -> None:
    """Reviews the smiling labels of a split."""
    cv2.setNumThreads(1)


@main.command("sheets")
@of_a_split
@_output
@_round
@_rounds
@_seed
@_scores
@click.option("--random", "chance", default=0, show_default=True, help="Faces drawn from all.")
@click.option("--fillers", default=0, show_default=True, help="Faces drawn from the agreed ones.")
@click.option("--most", type=int, help="Disagreements, drawn if there are more.")
def sheets_command(
    split: Split, output: Path, name: str, rounds: str, paths: Sequence[Path], **options: Any
) -> None:
    """Draws sheets of all disagreements not looked at yet, and others among them."""
    seen = {review.file for review in joined(_named(rounds, output))}
    selected = select(split.labels, read_scores(paths), seen=seen, **options)
    _draw(split.faces, selected, Round.named(name, output))


@main.command("again")
@of_a_split
@_output
@_round
@_rounds
@_seed
def again_command(split: Split, output: Path, name: str, rounds: str, seed: int) -> None:
    """Draws sheets of the corrected faces, and as many confirmed ones, for a second look."""
    labels = split.labels
    told = [r for r in joined(_named(rounds, output)) if r.smiles is not None and not r.second]
    corrected = [review.file for review in told if review.smiles != labels[review.file]]
    confirmed = [review.file for review in told if review.smiles == labels[review.file]]
    _draw(split.faces, select_again(corrected, confirmed, seed), Round.named(name, output))


@main.command("apply")
@of_a_split
@_output
@_rounds
@_scores
@_kept
def apply_command(
    split: Split, output: Path, rounds: str, paths: Sequence[Path], kept: Path
) -> None:
    """Writes the reviewed labels, and says how they compare with those the data came with.

    Disagreements of networks that were trained after the sheets were drawn are noted, too.
    """
    labels = split.labels
    wrong = disagreements(labels, read_scores(paths))
    reviews = disputed(joined(_named(rounds, output)), wrong)
    click.echo(f"wrote {write_reviews(reviews, split.name, kept)}")
    click.echo(f"disagreements: {len(wrong)}, of them not looked at: {_unseen(wrong, reviews)}")
    click.echo(summary(reviews, labels))


@main.command("summary")
@of_a_split
@_kept
def summary_command(split: Split, kept: Path) -> None:
    """Says how the reviewed labels compare with those the data came with."""
    click.echo(summary(read_reviews(split.name, kept), split.labels))


@main.command("accuracy")
@of_a_split
@_scores
@_kept
def accuracy_command(split: Split, paths: Sequence[Path], kept: Path) -> None:
    """Says how right networks are: as labelled, and by what was seen."""
    scores = read_scores(paths)
    labels, reviews = split.labels, read_reviews(split.name, kept)
    for number in range(min(len(scores[file]) for file in labels)):
        one = {file: scores[file][number] for file in labels}
        click.echo(f"network {number + 1}")
        for name, count, found in accuracies(labels, reviews, one):
            click.echo(f"  {name}: {found.text()}, {count} faces")


def _unseen(wrong: Collection[str], reviews: Sequence[Review]) -> int:
    return len(set(wrong) - {review.file for review in reviews})


def _draw(faces: Faces, selected: Sequence[Selected], drawn: Round) -> None:
    """Sheets for the reviewer, the key elsewhere; says only how many faces there are."""
    places = {name: place for place, name in enumerate(faces.names)}
    drawn.folder.mkdir(parents=True, exist_ok=True)
    drawn.write_key(selected)
    pictures = sheets([faces.images[places[one.file]] for one in selected])
    for number, picture in enumerate(pictures, 1):
        path = drawn.folder / f"{number:02}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    click.echo(f"{len(selected)} faces on {len(pictures)} sheets in {drawn.folder}")


def _named(rounds: str, output: Path) -> list[Round]:
    return [Round.named(name, output) for name in rounds.split(",") if name]


if __name__ == "__main__":
    try:
        main()
    except InvalidReview as problem:
        sys.exit(str(problem))
