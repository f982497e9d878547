"""The report of a run: how long each test took, and the figures that tests noted."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path("build/e2e")


class Report:
    """What a run has found so far; written after every test, so that a run cut short has one."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._tests: dict[str, dict[str, Any]] = {}

    def note(self, test: str, **figures: Any) -> None:
        """Figures of a test that has not ended yet."""
        self._tests.setdefault(test, {}).setdefault("figures", {}).update(figures)

    def ended(self, test: str, outcome: str, phases: Mapping[str, float]) -> None:
        """How a test ended, and the seconds of its setup, itself and its teardown."""
        self._tests.setdefault(test, {}).update(
            outcome=outcome, seconds={name: round(took, 1) for name, took in phases.items()}
        )
        self._write()

    def text(self) -> str:
        """One line per test, with its figures below."""
        lines = []
        for test, told in self._tests.items():
            took = sum(told.get("seconds", {}).values())
            lines.append(f"{told.get('outcome', 'began'):8} {took:6.1f} s  {test}")
            lines += [f"{'':20}{name}: {said}" for name, said in told.get("figures", {}).items()]
        lines.append(f"{'':9}{time.monotonic() - self._begun:6.1f} s  in all")
        return "\n".join(lines) + "\n"

    def _write(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = {"seconds": round(time.monotonic() - self._begun, 1), "tests": self._tests}
        (FOLDER / "report.json").write_text(json.dumps(content, indent=2) + "\n")
        (FOLDER / "report.txt").write_text(self.text())
