"""`python -m rollout` as an operator or a pipeline has it: its exit code, its words, its state."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout.judge import Count
from rollout.judge.expected import DOUBT, Comparison, bounded
from tests.e2e.clusters import Json, environment, until
from tests.e2e.releases import Release

# Long enough for a busy machine; a test that waits for so long has failed.
SECONDS = 400.0
_ASPECTS = {"objects": ("boxes", "score"), "attributes": ("faces", "score", "label:red")}


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    text: str


@dataclass
class Going:
    """A command that goes on beside the test."""

    process: "subprocess.Popen[bytes]"
    file: Path

    @property
    def text(self) -> str:
        return self.file.read_text()

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def says(self, words: str, seconds: float = SECONDS) -> None:
        """Waits until it has said that."""
        until(lambda: words in self.text or self.over, seconds)
        assert words in self.text, self.text

    def ended(self) -> Told:
        return Told(self.process.wait(SECONDS), self.text)


@dataclass(frozen=True)
class Rollout:
    """The tool, for one release."""

    release: Release
    options: tuple[str, ...] = ()
    path: str = ""  # looked through for programs before all others
    kubeconfig: str = ""  # another one than the cluster's own

    def run(self, *words: str) -> Told:
        done = subprocess.run(
            self._command(*words), env=environment(), capture_output=True, text=True, check=False
        )
        return Told(done.returncode, done.stdout + done.stderr)

    @contextmanager
    def going(self, file: Path, *words: str) -> Iterator[Going]:
        """Beside the test; killed if it has not ended when the block is left."""
        with (
            file.open("wb") as output,
            subprocess.Popen(
                self._command(*words), env=environment(), stdout=output, stderr=output
            ) as process,
        ):
            try:
                yield Going(process, file)
            finally:
                process.kill()

    def status(self) -> Json:
        told = self.run("status", "--json")
        assert told.code == 0, told.text
        found: Json = json.loads(told.text)
        return found

    def weights(self) -> set[float | None]:
        """What the gateways have taken."""
        return set(self.status()["gateways"].values())

    def _command(self, *words: str) -> tuple[str, ...]:
        path = (f"PATH={self.path}:/usr/bin:/bin",) if self.path else ()
        config = (f"KUBECONFIG={self.kubeconfig}",) if self.kubeconfig else ()
        env = ("env", *path, *config) if path or config else ()
        where = ("--release", self.release.name, "--namespace", self.release.namespace)
        python = (sys.executable, "-u", "-m", "rollout")
        return self.release.cluster._within(*env, *python, *where, *self.options, *words)


def comparison(folder: Path, stable: str, canary: str, feature: str = "objects") -> str:
    """A file that says: of 500 photos the two packages answered none differently."""
    aspects = bounded(dict.fromkeys(_ASPECTS[feature], Count(500, 0)))
    found = Comparison(
        schema=1,
        feature=feature,
        stable=stable,
        canary=canary,
        photos=500,
        doubt=DOUBT,
        aspects=aspects,
    )
    file = folder / f"{feature}-{stable}-{canary}.json"
    file.write_text(found.model_dump_json(by_alias=True))
    return str(file)
