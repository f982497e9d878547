"""Options that the training commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def data_option(holds: str, *, always: bool = True) -> Decorator:
    """--data: the folder of data sets, of which the command reads what `holds` says.

    It has to be there, unless the command does not `always` read it.
    """
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False, exists=always),
        default=Path("../shared/data"),
        envvar="TRILENS_DATA",
        show_default=True,
        help=f"Folder that holds {holds}.",
    )


version_option: Decorator = click.option(
    "--version", default="1.0.0", show_default=True, help="Of the package."
)
output_option: Decorator = click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Folder of packages.",
)
