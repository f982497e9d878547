"""Caption packages of one's own, on top of the default one."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from services.captioner.model import load
from services.packages import open_package
from services.packages.command import commands
from services.selftest import check

ROOT = Path(__file__).parents[3]
BASE = ROOT / "models" / "captions" / "1.1.0"


def run(tmp_path, *options):
    arguments = ["build", "--task", "caption", "--name", "mine", "--version", "1.0.0"]
    arguments += ["--output", str(tmp_path / "out"), "--base", str(BASE), *options]
    return CliRunner().invoke(
        commands, [*arguments, "--photo", str(ROOT / "tests/photos/astronaut.jpg")]
    )


def test_what_is_not_given_stays_as_it_was(tmp_path):
    words = (BASE / "vocabulary.txt").read_text().splitlines()
    words[words.index("man")] = "gentleman"
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n")

    result = run(tmp_path, "--weights", f"vocabulary={tmp_path / 'words.txt'}")

    assert result.exit_code == 0, result.output
    package = open_package(tmp_path / "out" / "mine" / "1.0.0")
    base = open_package(BASE)
    check(load(package))
    assert package.manifest.artifacts["encoder"].sha256 == base.manifest.artifacts["encoder"].sha256
    assert package.manifest.parameters == base.manifest.parameters
    assert package.manifest.license == base.manifest.license


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("best.onnx", "a caption model has several networks: --weights KEY=FILE"),
        ("speaker=best.onnx", "has no artefact speaker, but"),
        ("encoder=best.onnx", "is no ONNX file that ONNX Runtime can load"),
        ("encoder=missing.onnx", "no such file: "),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, monkeypatch, weights, words):
    monkeypatch.chdir(tmp_path)
    Path("best.onnx").write_bytes(b"no network")

    result = run(tmp_path, "--weights", weights)

    assert result.exit_code != 0
    assert words in result.output
