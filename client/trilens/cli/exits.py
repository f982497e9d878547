"""The exit codes of the command: promises to scripts."""

from typing import Final

EXIT_FULL: Final = 0  # every photo has every feature asked for
EXIT_PARTIAL: Final = 1  # every photo has an answer, but some lack a feature
EXIT_USAGE: Final = 2  # the command line cannot be used as it is
EXIT_FAILED: Final = 3  # some photo has no answer, or the server could not be asked
EXIT_INTERRUPTED: Final = 130  # Ctrl-C, as shells count it: 128 + SIGINT
EXIT_BROKEN_PIPE: Final = 141  # whoever read our output has gone: 128 + SIGPIPE
