"""`python -m services.packages` says in a line what is wrong with a package, and goes on."""

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

SOUND = ROOT / "models" / "objects" / "1.0.0"


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
