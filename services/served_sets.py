"""Threshold sets that a model is served with: its package's, and those of an operator's files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.manifest import Manifest, Task
from services.packages import InvalidPackage
from services.schema import problems
from services.thresholds import ThresholdFile, ThresholdSet

_DIGITS: Final = 12  # of a file's SHA-256, after "+" in its set's id


@dataclass(frozen=True, slots=True)
class ServedSets:
    """Threshold sets by the ids that answers cite, and the one for callers who name none."""

    by_id: Mapping[str, ThresholdSet]
    default: str  # empty for captions, which have no sets

    def names(self) -> frozenset[str]:
        """All that a request may call them: "+" and what follows may be left out."""
        return frozenset(self.by_id) | {_plain(cited) for cited in self.by_id}

    def cited(self, name: str) -> str:
        """The whole id of a set, by one of its names; KeyError if there is none."""
        if name in self.by_id:
            return name
        return {_plain(cited): cited for cited in self.by_id}[name]


def served_sets(
    manifest: Manifest, files: Sequence[Path] = (), default: str | None = None
) -> ServedSets:
    """The package's sets and those in `files`; `default` names another than the package's.

    A file is in no package, so its set is cited with the beginning of the file's own digest.
    Raises InvalidPackage with the reason for a file that cannot be used or a default that is none.
    """
    sets = dict(manifest.threshold_sets)
    for path in files:
        cited, thresholds = _read(path, manifest)
        if thresholds.id in map(_plain, sets):
            raise InvalidPackage(f"{path}: there is a threshold set {thresholds.id!r} already")
        sets[cited] = thresholds
    found = ServedSets(sets, manifest.default_threshold_set or "")
    if default is None:
        return found
    try:
        return ServedSets(sets, found.cited(default))
    except KeyError:
        there = ", ".join(sorted(sets)) or "none"
        raise InvalidPackage(f"there is no threshold set {default!r}; there is {there}") from None


def _read(path: Path, manifest: Manifest) -> tuple[str, ThresholdFile]:
    """A file's set and the id it is cited by."""
    try:
        content = path.read_bytes()
        thresholds = ThresholdFile.model_validate_json(content)
    except OSError as error:
        raise InvalidPackage(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise InvalidPackage(problems(path, error)) from None
    if manifest.task is Task.CAPTION:
        raise InvalidPackage(f"{path}: a caption model has no threshold sets")
    if thresholds.model != manifest.name or thresholds.version not in (None, manifest.version):
        made_for = f"{thresholds.model} {thresholds.version or '(any version)'}"
        raise InvalidPackage(
            f"{path}: made for {made_for}, not for {manifest.name} {manifest.version}"
        )
    try:
        thresholds.fit(frozenset(label.id for label in manifest.labels))
    except ValueError as problem:
        raise InvalidPackage(f"{path}: {problem}") from None
    return f"{thresholds.id}+{hashlib.sha256(content).hexdigest()[:_DIGITS]}", thresholds


def _plain(cited: str) -> str:
    return cited.partition("+")[0]
