"""`python -m services.packages`: builds and verifies packages, and checks threshold sets."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import click
from pydantic import BaseModel, RootModel, ValidationError

from services.manifest import Calibration, License, Task
from services.packages import InvalidPackage, open_package
from services.packages.build import build
from services.packages.fetch import fetch
from services.packages.order import Order
from services.packages.report import report
from services.packages.thresholds import show
from services.packages.trial import verify
from services.runtimes import RuntimeUnavailable
from services.schema import LabelOrRest, problems
from services.served_sets import served_sets
from services.thresholds import ThresholdFile

# The artefact that `--weights FILE` means where no key is said.
MAIN: Final = {Task.DETECTION: "detector", Task.CLASSIFICATION: "attributes"}
PHOTOS: Final = ("astronaut.jpg", "cat.jpg", "coffee.jpg")

_Fits = RootModel[dict[LabelOrRest, Calibration]]
_Read = TypeVar("_Read", bound=BaseModel)
_PROBLEMS: Final = (InvalidPackage, RuntimeUnavailable, OSError, ValueError)
_File = click.Path(path_type=Path, exists=True, dir_okay=False)
_Folder = click.Path(path_type=Path, file_okay=False)


@click.group()
def commands() -> None:
    """Builds and verifies model packages."""


@commands.command("verify")
@click.argument("folders", type=_Folder, nargs=-1, required=True)
def verify_command(folders: tuple[Path, ...]) -> None:
    """Checks manifests and digests, loads the models, and runs their self-tests."""
    failed = 0
    for folder in folders:
        try:
            verify(folder)
        except _PROBLEMS as problem:
            failed += 1
            click.echo(f"{folder}: {_line(problem)}", err=True)
        else:
            click.echo(f"{folder}: sound")
    sys.exit(min(failed, 1))


@commands.command("fetch")
@click.argument("uri")
@click.argument("target", type=_Folder)
@click.option("--sha256", "digest", required=True, help="Of its manifest.json, in hex.")
def fetch_command(uri: str, target: Path, digest: str) -> None:
    """Makes TARGET the package in the tar archive at URI: http(s), file:// or a path."""
    try:
        package = fetch(uri, digest.removeprefix("sha256:").lower(), target)
    except (InvalidPackage, OSError) as problem:
        raise click.ClickException(_line(problem)) from problem
    click.echo(f"{package.manifest.name} {package.manifest.version} is in {target}")


@commands.command("thresholds")
@click.argument("folder", type=_Folder)
@click.argument("files", type=_File, nargs=-1)
@click.option("--default", help="The set to serve with, as TRILENS_THRESHOLD_SET names it.")
def thresholds_command(folder: Path, files: tuple[Path, ...], default: str | None) -> None:
    """Shows the threshold sets of the package in FOLDER, and checks FILES of sets against it."""
    try:
        show(served_sets(open_package(folder).manifest, files, default))
    except _PROBLEMS as problem:
        raise click.ClickException(_line(problem)) from problem


@commands.command("build")
@click.option("--task", type=click.Choice([task.value for task in Task]), required=True)
@click.option(
    "--weights",
    multiple=True,
    required=True,
    metavar="[KEY=]FILE",
    help=".onnx, .pt or .keras; more than once, with keys, for models of several networks.",
)
@click.option("--name", required=True, help="The model's name, which is its feature's too.")
@click.option("--version", required=True, help="Like 1.0.0.")
@click.option("--labels", help="Comma-separated, or a file with one a line; default: the model's.")
@click.option("--size", type=int, help="Side of the network's input in pixels; default: its own.")
@click.option("--mean", type=(float, float, float), help="Of RGB in 0..255: (x - mean) / std.")
@click.option("--std", type=(float, float, float), help="See --mean.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Of every label.")
@click.option("--thresholds", type=_File, help="A fitted set, to be the default, as a file.")
@click.option("--calibration", type=_File, help="Fits by label: scale and offset, as a file.")
@click.option("--photo", type=_File, multiple=True, help="For the self-test; default: samples.")
@click.option("--license", "terms", metavar="ID[: TEXT]", help='Like "AGPL-3.0-only".')
@click.option("--commercial-use", is_flag=True, help="The terms allow it without an agreement.")
@click.option("--summary", help="What it does, in a sentence.")
@click.option("--source", multiple=True, help="What it was trained on; default: the files' names.")
@click.option("--base", type=_Folder, help="A package that says whatever these options do not.")
@click.option("--as-is", is_flag=True, help="Serve the .pt itself, with the ultralytics runtime.")
@click.option("--output", type=_Folder, default=Path("models"), show_default=True)
def build_command(
    *,
    task: str,
    weights: tuple[str, ...],
    name: str,
    version: str,
    labels: str | None,
    size: int | None,
    mean: tuple[float, float, float] | None,
    std: tuple[float, float, float] | None,
    threshold: float | None,
    thresholds: Path | None,
    calibration: Path | None,
    photo: tuple[Path, ...],
    terms: str | None,
    commercial_use: bool,
    summary: str | None,
    source: tuple[str, ...],
    base: Path | None,
    as_is: bool,
    output: Path,
) -> None:
    """Packages a model: converts it, runs it on photos, records what it answers."""
    files = _files(Task(task), weights)
    if as_is and any(file.suffix != ".pt" for file in files.values()):
        raise click.UsageError("--as-is is for .pt files")
    if threshold is not None and thresholds is not None:
        raise click.UsageError("--threshold and --thresholds exclude each other")
    try:
        order = Order(
            task=Task(task),
            weights=files,
            name=name,
            version=version,
            summary=summary or f"{name}: a {task} model",
            license=_license(terms, commercial_use=commercial_use),
            sources=source or tuple(file.name for file in files.values()),
            command=shlex.join(["python", "-m", "services.packages", *sys.argv[1:]]),
            photos=photo or tuple(Path("tests/photos") / sample for sample in PHOTOS),
            labels=_labels(labels),
            side=size,
            mean=mean,
            std=std,
            threshold=threshold,
            fitted=_read(ThresholdFile, thresholds) if thresholds else None,
            calibration=_read(_Fits, calibration).root if calibration else {},
            as_is=as_is,
            base=open_package(base) if base else None,
        )
        package = build(order, output / name / version)
    except _PROBLEMS as problem:
        raise click.ClickException(_line(problem)) from problem
    report(package)


def _files(task: Task, weights: tuple[str, ...]) -> Mapping[str, Path]:
    files = {}
    for text in weights:
        key, _, file = text.rpartition("=")
        if not key and task not in MAIN:
            raise click.UsageError("a caption model has several networks: --weights KEY=FILE")
        key = key or MAIN[task]
        if key in files:
            raise click.UsageError(f"--weights names {key} twice")
        files[key] = Path(file)
    if missing := [str(file) for file in files.values() if not file.is_file()]:
        raise click.UsageError(f"no such file: {', '.join(missing)}")
    return files


def _read(kind: type[_Read], path: Path) -> _Read:
    """Raises InvalidPackage with the reason if the file is not of that kind."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvalidPackage(problems(path, error)) from None


def _license(terms: str | None, *, commercial_use: bool) -> License | None:
    if terms is None:
        return None
    spdx, _, text = terms.partition(":")
    return License(id=spdx, text=text.strip() or f"Under {spdx}.", commercial_use=commercial_use)


def _labels(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    file = Path(text)
    try:
        names = file.read_text("utf-8").splitlines() if file.is_file() else text.split(",")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is not UTF-8 text") from None
    return tuple(name.strip() for name in names if name.strip())


def _line(problem: Exception) -> str:
    """What is wrong, in one line, whatever its libraries made of it."""
    return " ".join(str(problem).split())
