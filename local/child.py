"""Runs a module like `python -m`, and ends it when whoever started it has gone.

The starter keeps the other end of standard input open. However it ends, even killed, that end
closes, and this process stops as if told to: nothing stays behind.
"""

import os
import runpy
import signal
import sys
import threading
import time

# Longer than a drain without calls takes; a process that hangs must not outlive it for ever.
_LAST_RESORT_SECONDS = 10


def main(module: str) -> None:
    """Runs the module until it ends."""
    threading.Thread(target=_end_with_the_starter, name="starter", daemon=True).start()
    sys.argv[:] = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_the_starter() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST_RESORT_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
