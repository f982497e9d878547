"""The `trilens` command; needs the extra `cli`."""

import os
import sys

from trilens.cli.exits import (
    EXIT_BROKEN_PIPE,
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
        # Python would flush stdout once more on its way out, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return code if isinstance(code, int) else EXIT_FULL
