"""The helm binary: what changes a release."""

import base64
import json
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from rollout.api import Json
from rollout.records import Record, Unusable
from rollout.sign import Sign

# Of one command. Pods are not waited for, so this is the API server's time alone.
_SECONDS: Final = 300


class HelmFailed(Exception):
    """Helm said no, or could not; the text is what it said last."""


class Helm:
    """One release, as the binary sees it; a Helm that outlives this process keeps its sign."""

    def __init__(self, release: str, namespace: str, context: str | None, sign: Sign) -> None:
        self._release = release
        self._sign = sign
        there = ("--kube-context", context) if context else ()
        self._where = ("--namespace", namespace, *there)

    def upgrade(self, live: Record, values: Json, chart: str = "") -> None:
        """Makes these the operator's values; without a chart, that of the live release is kept."""
        with tempfile.TemporaryDirectory(prefix="trilens-rollout-") as folder:
            file = Path(folder, "values.json")
            file.write_text(json.dumps(values))
            source = chart or str(unpacked(live, Path(folder, "chart")))
            words = ("--reset-values", "--values", str(file))
            self._run("upgrade", self._release, source, *words, *self._where)

    def rollback(self, revision: int) -> None:
        """Goes back, whoever has written to the release's objects since."""
        self._run("rollback", self._release, str(revision), "--force-conflicts", *self._where)

    def rollback_words(self, revision: int) -> str:
        """What to type without this tool."""
        return shlex.join(("helm", "rollback", self._release, str(revision), *self._where))

    def _run(self, *words: str) -> None:
        """In a session of its own: Ctrl-C is for the rollout, which waits for Helm to finish."""
        try:
            done = subprocess.run(
                ("helm", *words),  # noqa: S607  # the operator's own
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
                start_new_session=True,
                pass_fds=self._sign.files,
            )
        except FileNotFoundError as missing:
            raise HelmFailed("there is no helm on the PATH") from missing
        except subprocess.TimeoutExpired as late:
            raise HelmFailed(f"helm {words[0]} took more than {_SECONDS} s") from late
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("level=")]
            raise HelmFailed(" ".join(lines).removeprefix("Error: ") or f"helm {words[0]} failed")


def unpacked(record: Record, folder: Path) -> Path:
    """Writes the chart of a release to a folder, as Helm recorded it; raises Unusable."""
    chart = record.chart
    if chart["metadata"].get("dependencies"):
        raise Unusable("the release's chart has subcharts, which Helm does not record: --chart")
    files = {
        "Chart.yaml": json.dumps(chart["metadata"]).encode(),
        "values.yaml": json.dumps(chart.get("values") or {}).encode(),
    }
    if chart.get("schema"):
        files["values.schema.json"] = base64.b64decode(chart["schema"])
    for one in (*(chart.get("templates") or ()), *(chart.get("files") or ())):
        files[one["name"]] = base64.b64decode(one["data"] or "")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
