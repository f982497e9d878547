"""Commands that only measure start where nothing is installed that trains or draws."""

import subprocess
import sys

import pytest

from tests.harness import ROOT

HEAVY = ("keras", "matplotlib", "sklearn", "tensorflow", "torch", "tqdm", "ultralytics")
MEASURING = ("attributes", "captions", "compare", "evaluate", "objects", "thresholds")


@pytest.mark.parametrize("module", MEASURING)
def test_what_measures_needs_no_library_that_trains_or_draws(module):
    absent = "".join(f"sys.modules[{name!r}] = None; " for name in HEAVY)

    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; {absent}import training.{module}"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
