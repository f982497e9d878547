"""What a new version changes, in Markdown, from its comparison with the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.manifest import Manifest
from services.packages import Package
from services.thresholds import Band
from training.comparison import Comparison
from training.tables import table

_MOST_NAMES: Final = 8  # of labels in a row


def summary(old: Package, new: Package, found: Comparison) -> str:
    """The figures side by side and the answers that differ, for a terminal and for notes."""
    before, after = _name(old, new)
    return "\n".join(
        (
            f"{found.count:,} {found.unit} of {found.dataset} ({found.split}), both packages as "
            "they are served; differences with their 95 % intervals (paired bootstrap).\n",
            table(
                ("figure", before, after, "difference", "better in", ""),
                (
                    (
                        one.figure.name,
                        f"{one.old:.3f}",
                        f"{one.new:.3f}",
                        one.difference.text(),
                        f"{one.better:.0%}",
                        one.verdict,
                    )
                    for one in found.figures
                ),
            ),
            "\nAnswers that differ: "
            + ", ".join(f"{share:.1%} of {what}" for what, share in found.disagreement.items())
            + ".",
        )
    )


def release_notes(old: Package, new: Package, found: Comparison) -> str:
    """A section for the new version: what is better and worse, and whatever else changed."""
    manifest = new.manifest
    return "\n".join(
        (
            f"# {manifest.name} {manifest.version}\n",
            f"{manifest.summary} Compared with {old.manifest.name} {old.manifest.version}:\n",
            *(f"- {line}" for line in _changes(old, new, found)),
            f"\n{summary(old, new, found)}",
            f"\nMade by `{manifest.provenance.command}`; compared by "
            f"`python -m training.compare {_folder(old)} {_folder(new)}{_option(found)}`.\n",
        )
    )


def _changes(old: Package, new: Package, found: Comparison) -> Iterator[str]:
    for verdict in ("better", "worse", "no clear difference"):
        if names := [one.figure.name for one in found.figures if one.verdict == verdict]:
            yield f"**{verdict.capitalize()}:** {', '.join(names)}."
    yield from _labels(old.manifest, new.manifest)
    yield from _thresholds(old.manifest, new.manifest)
    before, after = (_megabytes(package) for package in (old, new))
    yield f"**Size** of its networks: {before:.1f} MB, now {after:.1f} MB."
    if old.manifest.license == new.manifest.license:
        yield f"**Terms** are the same: {new.manifest.license.id}."
    else:
        yield f"**Terms changed** to {new.manifest.license.id}: {new.manifest.license.text}"


def _labels(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = ({label.id for label in one.labels} for one in (old, new))
    if gone := sorted(before - after):
        yield f"**Labels gone:** {', '.join(gone)}."
    if added := sorted(after - before):
        yield f"**New labels:** {', '.join(added)}."


def _thresholds(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = old.bands(), new.bands()
    if any(old.calibration_of(label) != new.calibration_of(label) for label in after):
        yield "**Scores** are calibrated anew: do not compare them with the old ones."
    changed = [label for label in after if label in before and _moved(before[label], after[label])]
    if not changed:
        return
    groups: dict[str, list[str]] = {}
    for label in changed:
        groups.setdefault(_edges(after[label]), []).append(label)
    yield (
        f"**Thresholds** are now those of {new.default_threshold_set} "
        f"(were {old.default_threshold_set}): "
        + "; ".join(f"{_names(labels)} {edges}" for edges, labels in groups.items())
        + "."
    )


def _names(labels: list[str]) -> str:
    return ", ".join(labels) if len(labels) <= _MOST_NAMES else f"{len(labels)} labels"


def _moved(old: Band, new: Band) -> bool:
    return (old.present, old.absent) != (new.present, new.absent)


def _edges(band: Band) -> str:
    present = "never present" if band.present is None else f"present from {band.present:g}"
    return present if band.present == band.absent else f"{present}, absent below {band.absent:g}"


def _option(found: Comparison) -> str:
    return {"test": "", "own": " --own ..."}.get(found.split, f" --split {found.split}")


def _folder(package: Package) -> str:
    """Where it is kept, wherever it was made."""
    return f"models/{package.manifest.name}/{package.manifest.version}"


def _megabytes(package: Package) -> float:
    return sum(one.bytes for one in package.manifest.artifacts.values()) / 1e6


def _name(old: Package, new: Package) -> tuple[str, str]:
    """Versions where the name is the same, else names too."""
    one, other = old.manifest, new.manifest
    if one.name == other.name and one.version != other.version:
        return one.version, other.version
    return f"{one.name} {one.version}", f"{other.name} {other.version}"
