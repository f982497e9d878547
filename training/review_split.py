"""The split of faces that a command works on."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from training.faces_data import LABELS, UNKNOWN, Faces, read_faces
from training.options import data_option

SMILING: Final = LABELS.index("smiling")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A split's name and faces."""

    name: str
    faces: Faces
    work: Path

    @property
    def labels(self) -> Mapping[str, bool]:
        """By file, whether the face is labelled smiling; without those it is not known of."""
        told = zip(self.faces.names, self.faces.labels[:, SMILING], strict=True)
        return {name: bool(label) for name, label in told if label != UNKNOWN}


def of_a_split(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --data, --work and --split; the command takes the split as `split`."""

    @data_option("faces/")
    @click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("build/attributes"),
        show_default=True,
        help="Folder for decoded faces.",
    )
    @click.option("--split", default="test", show_default=True)
    @functools.wraps(command)
    def reading(data: Path, work: Path, split: str, **options: Any) -> None:
        command(split=Split(split, read_faces(data, split, work), work), **options)

    return reading
