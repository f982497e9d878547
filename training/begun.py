"""What a run was begun with: it goes on with the same, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

BEGUN: Final = "begun.json"


def begin(folder: Path, facts: Mapping[str, Any]) -> None:
    """Notes what a run in the folder is begun with, beside what was noted before.

    Raises ValueError if the run that is there was begun with something else: its weights would come
    out under the new one's name. A run of which nothing was noted goes on.
    """
    path, now = folder / BEGUN, json.loads(json.dumps(facts))
    before = json.loads(path.read_text()) if path.exists() else {}
    if other := [name for name, fact in now.items() if before.get(name, fact) != fact]:
        raise ValueError(
            f"{folder} holds a run that was begun with other {' and '.join(other)}: name "
            "another folder for this one, or remove that"
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(before | now, indent=1) + "\n")
    partial.replace(path)


def digest(parts: Iterable[str | bytes]) -> str:
    """One short text for many, another one for the same in another order or cut otherwise."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return whole.hexdigest()
