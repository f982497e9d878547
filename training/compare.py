"""Is the new package better? Two packages of one task on the same examples.

    python -m training.compare models/attributes/1.1.0 models/attributes/1.2.0
    python -m training.compare models/objects/1.1.0 models/mine/1.0.0 --own my-photos
    python -m training.compare OLD NEW --own labels.csv --photos my-photos --notes NEW/notes.md

Prints both figures, their difference with its 95 % interval (paired bootstrap), how many of the
samples the new one wins, and how many answers differ. `--notes` writes that as release notes of the
new package. Needs neither TensorFlow nor torch.
"""

from __future__ import annotations

from pathlib import Path

import click

from services.packages import InvalidPackage, Package, open_package
from training.bootstrap import SAMPLES
from training.comparison import compare, tested_task
from training.options import data_option
from training.release_notes import release_notes, summary

PROBLEMS = (InvalidPackage, OSError, ValueError)

_Folder = click.Path(path_type=Path, file_okay=False, exists=True)
own_option = click.option(
    "--own",
    type=click.Path(path_type=Path, exists=True),
    help="Examples of one's own: a CSV file (attributes: file and a column per label; captions: "
    "image, caption), or a folder with images/, labels/ and classes.txt (objects).",
)
photos_option = click.option(
    "--photos", type=_Folder, help="The photos that a CSV file names; default: beside it."
)
split_option = click.option(
    "--split",
    type=click.Choice(("val", "test", "val+test")),
    default="test",
    show_default=True,
    help="Of the project's data; both together for objects only.",
)
samples_option = click.option(
    "--samples", default=SAMPLES, show_default=True, help="Bootstrap samples."
)


@click.command()
@click.argument("old", type=_Folder)
@click.argument("new", type=_Folder)
@data_option("faces/, captions/ and detection/; not needed with --own", always=False)
@split_option
@own_option
@photos_option
@samples_option
@click.option("--notes", type=click.Path(path_type=Path, dir_okay=False), help="Writes them here.")
def main(
    *,
    old: Path,
    new: Path,
    data: Path,
    split: str,
    own: Path | None,
    photos: Path | None,
    samples: int,
    notes: Path | None,
) -> None:
    """Compares package NEW with package OLD."""
    try:
        before, after = open_package(old), open_package(new)
        found = compare(before, after, examples(before, data, split, own, photos), samples)
    except PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(summary(before, after, found))
    if notes:
        notes.write_text(release_notes(before, after, found))
        click.echo(f"wrote {notes}")


def examples(
    package: Package, data: Path, split: str, own: Path | None, photos: Path | None
) -> object:
    """A team's own examples if there are any, else the project's.

    Raises FileNotFoundError where neither is there.
    """
    task = tested_task(package.manifest.task)
    if own:
        return task.own(own, photos, package)
    if not data.is_dir():
        raise FileNotFoundError(f"{data} is not there: name it by --data, or examples by --own")
    return task.examples(data, split)


if __name__ == "__main__":
    main()
