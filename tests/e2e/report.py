"""The report of a run: how long each test took, and the figures that tests noted."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path("build/e2e")


class Report:
    """What a run has found so far; written after every test, so that a run cut short has one.

    A plugin of the process that hears of all tests, whichever worker they ran in.
    """

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's setup, itself or its teardown has ended."""
        told = self._tests.setdefault(_name(report.nodeid), {"outcome": report.outcome})
        if report.failed:
            told |= {"outcome": report.outcome, "why": report.longreprtext}
        told.setdefault("seconds", {})[report.when] = round(report.duration, 1)
        for _, figures in report.user_properties:
            told.setdefault("figures", {}).update(json.loads(figures))
        self._write()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """At the end of all others."""
        terminalreporter.section("report")
        terminalreporter.write(self._text())

    def _text(self) -> str:
        """One line per test, with its figures below; then one per file."""
        lines = []
        files: Counter[str] = Counter()
        for test, told in self._tests.items():
            took = sum(told["seconds"].values())
            files[test.partition(":")[0]] += took
            lines.append(f"{told['outcome']:8} {took:6.1f} s  {test}")
            lines += [f"{'':20}{name}: {said}" for name, said in told.get("figures", {}).items()]
        lines += [f"{'':9}{took:6.1f} s  {file}" for file, took in files.most_common()]
        lines.append(f"{'':9}{time.monotonic() - self._begun:6.1f} s  in all")
        return "\n".join(lines) + "\n"

    def _write(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = {"seconds": round(time.monotonic() - self._begun, 1), "tests": self._tests}
        (FOLDER / "report.json").write_text(json.dumps(content, indent=2) + "\n")
        (FOLDER / "report.txt").write_text(self._text())


def _name(test: str) -> str:
    file, _, name = test.partition("::")
    return f"{Path(file).stem.removeprefix('test_')}: {name.removeprefix('test_')}"
