"""Tables of scores that say which faces a network disagrees about.

    python -m training.review_scores package models/attributes/1.1.0 scores.csv --split test
    python -m training.review_scores doubts doubts.csv --split train

A table has the columns `file` and one per network: its calibrated probability of a smile. Of doubts
it is 1 or 0: what the cleaning of train's labels believes (`training.faces_targets`).
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from training.review_records import write_scores
from training.review_split import SMILING, Split, of_a_split

_table = click.argument("table", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def main() -> None:
    """Writes tables of scores for a review."""


@main.command("package")
@of_a_split
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@_table
def package_command(split: Split, folder: Path, table: Path) -> None:
    """Writes what a package says of the faces."""
    from services.classifier.model import load
    from services.packages import open_package
    from training.faces_measure import crop_scores

    scores = crop_scores(load(open_package(folder)), split.faces)[:, SMILING]
    _write(table, folder.name, split, scores)


@main.command("doubts")
@of_a_split
@_table
def doubts_command(split: Split, table: Path) -> None:
    """Writes which labels the cleaning doubts: for those the other answer, else the same."""
    from training.faces_targets import lesson

    doubted = lesson(split.faces, split.work).doubted
    smiling = split.faces.labels[:, SMILING] == 1
    _write(table, "doubts", split, np.where(doubted, ~smiling, smiling).astype(np.float64))


def _write(table: Path, network: str, split: Split, scores: NDArray[np.float64]) -> None:
    write_scores(table, network, dict(zip(split.faces.names, scores.tolist(), strict=True)))


if __name__ == "__main__":
    main()
