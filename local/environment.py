"""Makes a virtual environment from a locked list: `python3 local/environment.py serve .venv`.

Needs Python's standard library and nothing else. Packages come through uv, which is much faster
than pip here; uv itself is a package and comes through pip (`local/environment.py uv build/uv`).
Both look where pip is told to look: PIP_* variables and pip.conf count, UV_* variables go first.
"""

from __future__ import annotations  # lets an old Python get as far as being told so

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / "build" / "uv"
WITH_CLIENT = ("serve", "dev", "rollout", "training")

# What pip calls it, and uv.
_INDEXES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
}


def main(name: str, folder: Path) -> None:
    """Makes the environment of that name, anew."""
    begun = time.monotonic()
    print(
        f"installing requirements/{name}.txt into {folder.relative_to(ROOT)}",
        file=sys.stderr,
        flush=True,
    )
    required = ROOT / "requirements" / f"{name}.txt"
    if name == "uv":
        _install_uv(required, folder)
    else:
        _install(required, folder)
    if name in WITH_CLIENT:
        link_client(folder)
    print(f"  took {time.monotonic() - begun:.1f} s", file=sys.stderr)


def _install_uv(required: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        python = sys.executable
        if importlib.util.find_spec("pip") is None:
            # Some distributions split pip off; then a new environment brings one along.
            venv.create(scratch, with_pip=True)
            python = f"{scratch}/bin/python"
        shutil.rmtree(folder, ignore_errors=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        unasked = ["--root-user-action", "ignore", "--require-hashes"]
        _run([*pip, *unasked, "--target", str(folder), "-r", str(required)])


def _install(required: Path, folder: Path) -> None:
    uv = str(UV / "bin" / "uv")
    environment = {"UV_PYTHON_DOWNLOADS": "never", **indexes(_pip_config()), **os.environ}
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], environment)
    # Every file has its digest in the list: it does not matter which index offers it.
    sync = [uv, "pip", "sync", "--require-hashes", "--index-strategy", "unsafe-best-match"]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    _run([*sync, *quiet, "--python", str(folder / "bin" / "python"), str(required)], environment)


def link_client(folder: Path) -> None:
    """Makes `import trilens` and the `trilens` command work from the checkout, as it is edited."""
    client = ROOT / "client"
    for packages in folder.glob("lib/python*/site-packages"):
        (packages / "trilens.pth").write_text(f"{client}\n")
    command = folder / "bin" / "trilens"
    command.write_text(f'#!/bin/sh\nexec "{folder.resolve()}/bin/python" -P -m trilens "$@"\n')
    command.chmod(0o755)


def indexes(listed: str) -> dict[str, str]:
    """Where pip is told to look, in uv's words; from what `pip config list` prints."""
    found = {}
    for line in sorted(listed.splitlines(), reverse=True):  # ":env:" comes last and counts most
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _INDEXES:
            found[_INDEXES[key]] = " ".join(ast.literal_eval(value).split())
    return found


def _pip_config() -> str:
    # Prints nothing where there is no pip.
    command = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        sys.exit(f"{Path(command[0]).name} could not install: its reason stands above")


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells
        sys.exit(
            f"Trilens needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
            "Name another one: make PYTHON=/path/to/python3.12 ..."
        )
    main(sys.argv[1], ROOT / sys.argv[2])
