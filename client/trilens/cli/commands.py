"""The commands and their options; what they do stands in modules of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

import trilens
from trilens.channel import DEFAULT_SERVER
from trilens.cli import models
from trilens.cli.analyze import Order
from trilens.cli.analyze import analyze as analyze_photos
from trilens.cli.explain import Wish
from trilens.cli.explain import explain as explain_photos
from trilens.cli.features import Threshold, threshold_of
from trilens.cli.photos import find
from trilens.cli.save import destinations
from trilens.client import Client

F = TypeVar("F", bound=Callable[..., Any])

# No server waits for longer; gRPC takes a deadline beyond what it can hold for one that has passed.
_MOST_SECONDS = 86_400

_CODES = """
\b
Exit codes:
  0    every photo has every feature asked for
  1    every photo has an answer, but some lack a feature
  2    the command line cannot be used as it is
  3    some photo has no answer, or the server could not be asked
  130  stopped with Ctrl-C
"""


def _thresholds(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Threshold, ...]:
    return tuple(map(threshold_of, texts))


def _asks_a_server(command: F) -> F:
    """Adds the options that say which server to ask, and how."""
    for option in (
        click.option(
            "--root-certificates",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Use TLS, trusting the certificates in this PEM file.",
        ),
        click.option("--tls", is_flag=True, help="Use TLS, trusting gRPC's own certificates."),
        click.option(
            "--server",
            envvar="TRILENS_SERVER",
            show_envvar=True,
            default=DEFAULT_SERVER,
            show_default=True,
            metavar="HOST:PORT",
            help="The server to ask.",
        ),
    ):
        command = option(command)
    return command


_as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, one object per line.")


@click.group(epilog=_CODES)
@click.version_option(trilens.__version__, prog_name="trilens")
def commands() -> None:
    """Analyses photos with a Trilens server."""


@commands.command(epilog=_CODES)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@_asks_a_server
@click.option(
    "--feature", "features", multiple=True, metavar="NAME", help="Ask for this feature; repeatable."
)
@click.option(
    "--required",
    multiple=True,
    metavar="NAME",
    help="Ask for this feature, and count a photo as failed without it; repeatable.",
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    callback=_thresholds,
    metavar="[LABEL=]VALUE",
    help="Lowest score in [0, 1] that counts for a label, or for all; repeatable.",
)
@click.option("--unsure", is_flag=True, help="Show objects, too, of which the model is unsure.")
@_as_json
@click.option(
    "--save",
    "out",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Draw the answer into a copy of the photo: a file, or a folder for several photos.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=_MOST_SECONDS),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for one photo.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="Photos to ask about at a time.",
)
def analyze(
    *,
    photos: tuple[str, ...],
    server: str,
    tls: bool,
    root_certificates: Path | None,
    features: tuple[str, ...],
    required: tuple[str, ...],
    thresholds: tuple[Threshold, ...],
    unsure: bool,
    as_json: bool,
    out: Path | None,
    timeout: float,
    jobs: int,
) -> int:
    """Analyses photos: says who smiles, what the photo shows, and where things are.

    PHOTO is a file, a folder (all photos within it), or - for standard input.
    """
    sources = find(photos)
    pictures = destinations(sources, out) if out else {}
    order = Order(sources, features, required, thresholds, unsure, timeout, jobs)
    with Client(server, tls=tls, root_certificates=root_certificates) as client:
        return analyze_photos(client, server, order, as_json=as_json, pictures=pictures)


@commands.command(epilog=_CODES)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@_asks_a_server
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="NAME",
    help="Explain this feature; repeatable; by default all that explain themselves.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="Explain only this label of faces, and no captions unless named; repeatable.",
)
@click.option(
    "--faces", type=click.IntRange(1, 16), metavar="N", help="Most faces to explain, surest first."
)
@_as_json
@click.option(
    "--save",
    "out",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Draw the maps over the photo: a file, or a folder for several photos.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=_MOST_SECONDS),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for one photo; explaining takes a second or so.",
)
def explain(
    *,
    photos: tuple[str, ...],
    server: str,
    tls: bool,
    root_certificates: Path | None,
    features: tuple[str, ...],
    labels: tuple[str, ...],
    faces: int | None,
    as_json: bool,
    out: Path | None,
    timeout: float,
) -> int:
    """Explains answers: where a face shows a label, where the model looked for a word.

    PHOTO is a file, a folder (all photos within it), or - for standard input.
    """
    sources = find(photos)
    pictures = destinations(sources, out) if out else {}
    order = Order(sources, features, (), (), unsure=False, timeout=timeout, jobs=1)
    wish = Wish(faces, labels)
    with Client(server, tls=tls, root_certificates=root_certificates) as client:
        return explain_photos(client, server, order, wish, as_json=as_json, pictures=pictures)


@commands.group(name="models")
def models_group() -> None:
    """Says which models a server has."""


@models_group.command(name="list")
@_asks_a_server
@_as_json
def list_models(*, server: str, tls: bool, root_certificates: Path | None, as_json: bool) -> int:
    """Lists features with their models, versions and licences."""
    with Client(server, tls=tls, root_certificates=root_certificates) as client:
        return models.list_models(client, server, as_json=as_json)


@models_group.command(name="show")
@click.argument("name")
@_asks_a_server
@_as_json
def show_model(
    *, name: str, server: str, tls: bool, root_certificates: Path | None, as_json: bool
) -> int:
    """Shows labels, thresholds, measured quality and terms of the model NAME."""
    with Client(server, tls=tls, root_certificates=root_certificates) as client:
        return models.show_model(client, server, name, as_json=as_json)
