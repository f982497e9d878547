"""The `trilens` command; needs the extra `cli`."""

import os
import sys

from trilens.cli.exits import (
    EXIT_BROKEN_PIPE,
    EXIT_FAILED,
    EXIT_FULL,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
)


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    try:
        return _run()
    except KeyboardInterrupt:  # perhaps while the command is still being loaded
        print("stopped", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run() -> int:
    try:
        import click

        from trilens.cli.commands import commands
        from trilens.cli.terminal import ReaderGone
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich", "PIL"):
            raise
        print("this command needs more packages: pip install 'trilens[cli]'", file=sys.stderr)
        return EXIT_USAGE
    try:
        # Not click's own standalone mode: there 1 means Ctrl-C and a broken pipe too.
        code = commands.main(prog_name="trilens", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except ReaderGone:
        _leave_stdout()
        return EXIT_BROKEN_PIPE
    except OSError as error:  # such as a disk that is full of results
        _leave_stdout()
        print(f"Error: {error}", file=sys.stderr)
        return EXIT_FAILED
    return code if isinstance(code, int) else EXIT_FULL


def _leave_stdout() -> None:
    # Python would flush it once more on its way out, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
