"""What the command writes to: results to stdout, everything else to stderr."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from trilens.cli.exits import EXIT_FAILED
from trilens.errors import explain

# Without a terminal there is no width to keep to; this is about what a log viewer shows.
_WIDTH_OF_A_PIPE = 160


class Failure(click.ClickException):
    """Ends the command with a message and the exit code for failure."""

    exit_code = EXIT_FAILED


class ReaderGone(Exception):
    """Whoever read our results wants no more of them."""


class _Stdout(Console):
    """A console that leaves a broken pipe to the command."""

    def on_broken_pipe(self) -> None:
        raise ReaderGone


class Terminal:
    """Both streams of this process, as they are right now."""

    def __init__(self) -> None:
        self._out = _Stdout(highlight=False)
        if not self._out.is_terminal and "COLUMNS" not in os.environ:
            self._out.width = _WIDTH_OF_A_PIPE
        self._err = Console(stderr=True, highlight=False)
        # Two consoles that share one terminal would write over each other.
        both = self._out.is_terminal and self._err.is_terminal
        self._messages = self._out if both else self._err

    def show(self, result: RenderableType) -> None:
        """Writes a result for people."""
        if self._out.is_terminal:
            self._out.print(result)
            return
        with self._out.capture() as written:
            self._out.print(result)
        # tables fill their last column with spaces, which only a terminal has use for
        _write("\n".join(line.rstrip() for line in written.get().splitlines()))

    def line(self, result: str) -> None:
        """Writes a result for programs: one line, never wrapped."""
        if self._out.is_terminal:
            self._out.print(Text(result), soft_wrap=True)
        else:
            _write(result)

    def remark(self, text: str) -> None:
        """Writes what is in the way of something besides the results."""
        self._messages.print(Text(readable(text)), soft_wrap=True)

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[], object]]:
        """Gives what to call after each photo: a bar shows it, where stderr is a terminal."""
        if total < 2 or not self._err.is_terminal:
            yield lambda: None
            return
        with Progress(
            TextColumn("photos"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._messages,
            transient=True,
            # results must not follow the bar to stderr
            redirect_stdout=False,
            redirect_stderr=False,
        ) as bar:
            yield partial(bar.advance, bar.add_task("photos", total=total))


def _write(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # click would make exit code 1 of it, which means a partial answer here
        raise ReaderGone from None


def readable(text: str) -> str:
    """The text without anything that a terminal would obey or cannot show."""
    return "".join(character if character.isprintable() else "�" for character in text)


def trouble(error: Exception, server: str) -> str:
    """Why a call failed, and what to do about it."""
    explanation = explain(error)
    if explanation.reason == "UNREACHABLE":
        why = "" if "refused" in explanation.message else f" ({explanation.message})"
        return f"no server at {server}: start one with `make run` or set --server{why}"
    return str(explanation)
