"""Options that the training commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from pydantic import TypeAdapter, ValidationError

from services.schema import Name, Version

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


class _Fitting(click.ParamType):  # type: ignore[type-arg]
    """A text that a manifest takes: told at once, not when the package is written, hours later."""

    def __init__(self, name: str, kind: Any, wanted: str) -> None:
        self.name = name
        self._kind: TypeAdapter[str] = TypeAdapter(kind)
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself; raises BadParameter if it does not fit."""
        try:
            return self._kind.validate_python(value)
        except ValidationError:
            self.fail(f"{value!r} is not {self._wanted}", param, ctx)


VERSION: Final = _Fitting("version", Version, "a version like 1.0.0")
NAME: Final = _Fitting("name", Name, "a name of a-z, 0-9 and -, like my-objects")

output_option: Decorator = click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Folder of packages.",
)
