"""Compares the contract with the newest release's: `python -m local.breaking`.

Nothing within a version of the contract may be taken away or change its meaning.
"""

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path("build")


def main(root: Path = ROOT) -> int:
    """Prints what breaks, or that nothing does; the exit code is buf's."""
    release = newest_release(root)
    if release is None:
        print("no release yet: there is nothing that the contract could break")
        return 0
    released = _lay_out(root, release)
    buf = Path(sys.executable).with_name("buf")
    command = (str(buf), "breaking", "--against", str(released))
    code = subprocess.run(command, cwd=root, check=False).returncode
    if code == 0:
        print(f"nothing breaks for clients of {release}")
    return code


def newest_release(root: Path) -> str | None:
    """The highest tag that is a version, such as v1.2.0, or None."""
    listed = ("git", "tag", "--list", "v[0-9]*", "--sort=-version:refname")
    tags = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout
    return next(iter(tags.split()), None)


def _lay_out(root: Path, release: str) -> Path:
    """A release's protos in a folder, with the google/rpc files that buf cannot fetch."""
    released = root / BUILD / "released" / release
    shutil.rmtree(released, ignore_errors=True)
    shutil.copytree(root / BUILD / "googleapis", released / BUILD / "googleapis")
    archive = ("git", "archive", release, "buf.yaml", "protos")
    tree = subprocess.run(archive, cwd=root, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as files:
        files.extractall(released, filter="data")
    return released


if __name__ == "__main__":
    sys.exit(main())
