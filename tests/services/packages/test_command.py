"""`python -m services.packages` says in a line what is wrong with a package, and goes on."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.packages.command import commands
from tests.harness import ROOT

SOUND = ROOT / "models" / "objects" / "1.1.0"
NEVER = {"present": None, "absent": 0.25}
REACHED = {"precision": 0.91, "precision_low": 0.72, "recall": 0.5, "count": 40}
FITTED = {"present": 0.75, "absent": 0.25, "when_present": REACHED}


def verify(*folders: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "services.packages", "verify", *map(str, folders)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "client"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.stack
def test_verify_passes_what_is_sound_and_names_what_is_not(folder: Path) -> None:
    ended = verify(SOUND, folder)

    assert ended.returncode == 1
    assert ended.stdout == f"{SOUND}: sound\n"
    assert ended.stderr.startswith(f"{folder}: ")
    assert "artifacts: 'detector' is missing" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_threshold_sets_are_shown_with_what_they_reached(tmp_path: Path) -> None:
    file = write_set(tmp_path, labels={"cat": NEVER, "*": FITTED})

    ended = CliRunner().invoke(
        commands, ["thresholds", str(SOUND), str(file), "--default", "mine-v1"]
    )

    assert ended.exit_code == 0
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    lines = ended.output.splitlines()
    assert f"mine-v1+{digest} (default): made by hand, fitted to nothing" in lines
    assert "  cat  never given, absent below 0.250" in lines
    reached = "present from 0.750 (precision 0.91, at least 0.72; recall 0.50)"
    assert f"  *    {reached}, absent below 0.250" in lines


def test_a_file_of_thresholds_that_does_not_fit_its_package_is_refused(tmp_path: Path) -> None:
    file = write_set(tmp_path, labels={"unicorn": NEVER, "*": FITTED})

    ended = CliRunner().invoke(commands, ["thresholds", str(SOUND), str(file)])

    assert ended.exit_code == 1
    assert ended.output == f"Error: {file}: unknown labels unicorn\n"


def write_set(folder: Path, **fields: Any) -> Path:
    """A file of thresholds for the sound package."""
    file = folder / "mine.json"
    file.write_text(json.dumps({"id": "mine-v1", "model": "objects", **fields}))
    return file


@pytest.mark.stack
def test_verify_without_a_folder_says_how_it_is_used() -> None:
    ended = verify()

    assert ended.returncode == 2
    assert "Usage:" in ended.stderr


def rename_output(manifest: dict[str, Any]) -> str:
    manifest["parameters"]["output"] = "boxes"
    return "manifest.json and the network's file differ in a name: 'boxes'"


def rename_input(manifest: dict[str, Any]) -> str:
    manifest["parameters"]["input"] = "photos"
    return "Required inputs (['images']) are missing from input feed (['photos'])"


def change_size(manifest: dict[str, Any]) -> str:
    manifest["preprocessing"]["width"] = 100
    return "the network does not run: "


@pytest.mark.parametrize("change", [rename_output, rename_input, change_size])
def test_verify_says_in_a_line_what_does_not_fit_and_goes_on(
    change: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(SOUND, wrong)
    manifest = json.loads((wrong / "manifest.json").read_text())
    reason = change(manifest)
    (wrong / "manifest.json").write_text(json.dumps(manifest))

    ended = CliRunner().invoke(commands, ["verify", str(wrong), str(SOUND)])

    assert ended.exit_code == 1
    complaint, verdict = ended.output.splitlines()
    assert complaint.startswith(f"{wrong}: ")
    assert reason in complaint
    assert verdict == f"{SOUND}: sound"
