import shutil
import subprocess
from pathlib import Path

import pytest

from local import breaking

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGE = Path("protos/trilens/v1/image.proto")


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    command = ("git", *who, *arguments)
    subprocess.run(command, cwd=repository, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with this contract, which is also laid out for buf."""
    if not (ROOT / "build/googleapis").exists():
        pytest.skip("needs build/googleapis, which `make contract` lays out")
    for name in ("protos", "build/googleapis"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "buf.yaml", "protos")
    git(tmp_path, "commit", "--quiet", "--message", "contract")
    return tmp_path


def change(repository: Path, old: str, new: str) -> None:
    path = repository / IMAGE
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_without_a_release_there_is_nothing_to_break(repository, capsys):
    assert breaking.main(repository) == 0
    assert "no release yet" in capsys.readouterr().out


def test_the_newest_release_is_the_highest_version_and_not_the_last_name(repository):
    for tag in ("v0.9.0", "v0.10.0", "v0.2.0", "nightly"):
        git(repository, "tag", tag)

    assert breaking.newest_release(repository) == "v0.10.0"


def test_an_addition_breaks_nobody(repository):
    git(repository, "tag", "v1.0.0")
    change(repository, "bytes rgb = 3;", "bytes rgb = 3;\n  // Rotation.\n  bytes turned = 4;")

    assert breaking.main(repository) == 0


def test_a_field_whose_type_changes_breaks_clients(repository, capfd):
    git(repository, "tag", "v1.0.0")
    change(repository, "bytes rgb = 3;", "string rgb = 3;")

    assert breaking.main(repository) != 0
    assert "rgb" in capfd.readouterr().out
