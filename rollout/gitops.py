"""Rollouts where a repository says what runs: values are written to a file, and nothing else."""

from pathlib import Path
from typing import Final

import yaml

from rollout.actions import Action, Upgrade
from rollout.api import Json
from rollout.hands import changed
from rollout.observed import Observed
from rollout.state import State

_HEADER: Final = "# Written by `python -m rollout`: the last of the release's values files.\n"


class FileHands:
    """Writes the file that somebody, or a pipeline, commits; the cluster is only looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def do(self, action: Action, state: State, _seen: Observed) -> bool:
        """Writes the file; False if it says so already, and the cluster is to follow yet."""
        assert isinstance(action, Upgrade), action  # noqa: S101  # without Helm nothing else is
        config: Json = {}
        if self._path.exists():
            config = yaml.safe_load(self._path.read_text()) or {}
        wanted = changed(config, action, state)
        if wanted == config:
            return False
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(_HEADER + yaml.safe_dump(wanted, sort_keys=False))
        new.replace(self._path)
        return True
