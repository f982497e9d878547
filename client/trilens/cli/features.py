"""From `--feature`, `--required` and `--threshold` to the features of a request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from trilens import request
from trilens.cli.terminal import Failure
from trilens.client import Client
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import classifier_pb2, detector_pb2, model_pb2


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold in [0, 1] for one label; for every label if that is empty."""

    label: str
    value: float


def threshold_of(text: str) -> Threshold:
    """Reads LABEL=VALUE or VALUE; raises click.BadParameter for anything else."""
    label, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither LABEL=VALUE nor VALUE") from None
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{number} is not between 0 and 1")
    return Threshold(label, value)


def ask_for(
    client: Client,
    names: Sequence[str],
    required: Sequence[str],
    thresholds: Sequence[Threshold],
    *,
    unsure: bool = False,
) -> tuple[pb.FeatureRequest, ...] | None:
    """The features to ask for, None for the deployment's default set.

    Asks the server what its features are only if a threshold is given, or if objects are wanted of
    which it is `unsure`. Raises click.UsageError for a label that no feature has, Failure if a
    model that is not ready may have it, and grpc.RpcError.
    """
    if not thresholds and not unsure:
        return request.choose(names, required) if names else None
    capabilities = client.capabilities()
    chosen = request.choose(names or request.defaults(capabilities), required)
    known = {one.feature: one for one in capabilities.features}
    for threshold in thresholds:
        _apply(threshold, chosen, known)
    for feature in chosen if unsure else ():
        described = known.get(feature.feature, pb.FeatureDescription())
        if described.task == model_pb2.TASK_DETECTION:
            feature.detection.include_uncertain = True
    return chosen


def _apply(
    threshold: Threshold,
    chosen: Iterable[pb.FeatureRequest],
    known: dict[str, pb.FeatureDescription],
) -> None:
    found = False
    for feature in chosen:
        described = known.get(feature.feature, pb.FeatureDescription())
        options = _options(feature, described.task)
        if options is None:
            continue
        if not threshold.label:
            options.score_threshold = threshold.value
        elif any(label.id == threshold.label for label in described.model.labels):
            options.label_thresholds[threshold.label] = threshold.value
        else:
            continue
        found = True
    if found:
        return
    what = f"the label {threshold.label!r}" if threshold.label else "labels"
    asked = [feature.feature for feature in chosen]
    silent = [name for name in asked if name in known and not known[name].HasField("model")]
    if silent:
        raise Failure(f"cannot tell who has {what}: {', '.join(silent)} is not ready")
    raise click.UsageError(
        f"no feature asked for has {what}; `trilens models show FEATURE` lists them"
    )


def _options(
    feature: pb.FeatureRequest, task: model_pb2.Task
) -> classifier_pb2.ClassificationOptions | detector_pb2.DetectionOptions | None:
    if task == model_pb2.TASK_CLASSIFICATION:
        return feature.classification
    if task == model_pb2.TASK_DETECTION:
        return feature.detection
    return None
