"""Other thresholds for a package, without other weights.

    python -m training.thresholds models/attributes/1.1.0 \\
        --policy training/policies/precision-90.json --output careful.json

Fits a threshold set to a policy on val, or on a team's own examples (`--own`), and writes it as a
file that a service loads beside the package. A set's values never change under its id, so a set
fitted anew gets the next `--number`: unless told, the one after the package's own. With
`--calibration` scores are calibrated on the same examples first; `services.packages build` makes
a package with both files.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import click
import numpy as np
from pydantic import ValidationError

from services.manifest import Calibration, Manifest, Task
from services.packages import Package, open_package
from services.schema import REST, problems
from services.thresholds import ThresholdFile
from training.calibration import logits_of, platt, platt_by_label
from training.card_parts import bands
from training.compare import PROBLEMS, examples, own_option, photos_option
from training.comparison import common_labels, tested_task
from training.options import data_option
from training.threshold_fit import DEFAULT_POLICY, FitPolicy


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=DEFAULT_POLICY,
    help="What to fit to; default: training/policies/precision-90.json.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The set."
)
@click.option(
    "--number",
    type=click.IntRange(min=1),
    help="Of the set: NAME-v1, NAME-v2, ... [default: the first that the package leaves free]",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Calibrates scores first, and writes the fits here.",
)
@data_option("faces/ and detection/; not needed with --own", always=False)
@click.option(
    "--split",
    type=click.Choice(("val", "val+test")),
    default="val",
    show_default=True,
    help="To fit on; both together only for objects, whose photos are few.",
)
@own_option
@photos_option
def main(
    *,
    folder: Path,
    policy: Path,
    output: Path,
    number: int | None,
    calibration: Path | None,
    data: Path,
    split: str,
    own: Path | None,
    photos: Path | None,
) -> None:
    """Fits a threshold set for the package in FOLDER."""
    try:
        package = open_package(folder)
        wanted = _policy(policy)
        known = examples(package, data, split, own, photos)
        if calibration:
            package = calibrated_anew(package, known, wanted)
        found = fitted(package, known, wanted, number)
    except PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem
    if calibration:
        fits = {label: fit.model_dump() for label, fit in package.manifest.calibration.items()}
        calibration.write_text(json.dumps(fits, indent=2) + "\n")
        click.echo(f"wrote {calibration}")
    output.write_text(json.dumps(found.model_dump(mode="json"), indent=2) + "\n")
    click.echo(f"{found.id}\n\n{bands(found)}")
    click.echo(f"wrote {output}")


def _policy(path: Path) -> FitPolicy:
    try:
        return FitPolicy.read(path)
    except ValidationError as error:
        raise ValueError(problems(path, error)) from None


def fitted(
    package: Package, examples: object, policy: FitPolicy, number: int | None = None
) -> ThresholdFile:
    """A set for all labels of the package.

    Raises ValueError if the examples know none of them, and for captions, which have none.
    """
    common_labels(examples, package)
    chosen = tested_task(package.manifest.task).thresholds(package, examples, policy)
    return ThresholdFile(
        id=f"{policy.name}-v{number or _free(package, policy.name)}",
        model=package.manifest.name,
        version=package.manifest.version,
        policy=chosen.policy,
        labels=chosen.labels,
    )


def calibrated_anew(package: Package, examples: object, policy: FitPolicy) -> Package:
    """The package with scores calibrated on the examples: each label's, where it has enough.

    The others, and all of a detector, share a fit; a classifier's labels that the examples do not
    know stay as they are. Raises ValueError if there are too few even of all labels together.
    """
    manifest = package.manifest
    labels = common_labels(examples, package)
    tested = tested_task(manifest.task).test(package, examples, labels)
    scored = {label: (logits_of(one.scores), one.truth) for label, one in tested.scored.items()}
    if not scored:
        return package
    if manifest.task is Task.DETECTION:
        logits, truth = (np.concatenate(parts) for parts in zip(*scored.values(), strict=True))
        fits = dict.fromkeys((*manifest.calibration, REST), platt(logits, truth))
    else:
        fits, _ = platt_by_label(scored, policy.least_positives)
    anew = {label: _after(manifest, label, fit) for label, fit in fits.items()}
    joined = {**manifest.calibration, **anew}
    return replace(package, manifest=manifest.model_copy(update={"calibration": joined}))


def _after(manifest: Manifest, label: str, fit: Calibration) -> Calibration:
    """A fit to scores that were calibrated before, as one to the network's own logits."""
    old = manifest.calibration.get(label) or manifest.calibration.get(REST) or Calibration()
    return Calibration(scale=fit.scale * old.scale, offset=fit.scale * old.offset + fit.offset)


def _free(package: Package, name: str) -> int:
    """A service refuses a file whose id its package has already."""
    taken = package.manifest.threshold_sets
    return next(number for number in count(1) if f"{name}-v{number}" not in taken)


if __name__ == "__main__":
    main()
