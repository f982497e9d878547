"""What `trilens models show` says of a model's labels and threshold sets."""

from collections.abc import Iterator

from rich import box
from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trilens.v1 import decision_pb2, model_pb2

_REST = "*"  # stands for the labels that a set does not name


def tables(model: model_pb2.Model) -> Iterator[RenderableType]:
    """The model's threshold sets, then its labels with the edges of the default one."""
    if model.threshold_sets:
        yield _sets(model)
    chosen = model.ref.threshold_set
    yield Text(f"\nlabels, with the score from which {chosen!r} gives them (is unsure)", "bold")
    yield Columns(map(_label, model.labels), padding=(0, 2), column_first=True)


def _label(label: model_pb2.LabelDescription) -> str:
    upper = f"{label.present_from:.2g}" if label.HasField("present_from") else "never"
    lower = f"{label.absent_below:.2g}"
    return f"{label.id} {upper}" if lower == upper else f"{label.id} {upper} ({lower})"


def _sets(model: model_pb2.Model) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("threshold set", "fitted to", "on"):
        table.add_column(heading)
    for heading in ("least reached (95 % surely)", "labels given"):
        table.add_column(heading, justify="right")
    for one in model.threshold_sets:
        name = f"{one.id} (default)" if one.id == model.ref.threshold_set else one.id
        table.add_row(name, *_policy(one), _reached(one), _given(one, model))
    return table


def _policy(thresholds: decision_pb2.ThresholdSet) -> tuple[str, str]:
    if not thresholds.HasField("policy"):
        return "nothing: made by hand", ""
    policy = thresholds.policy
    target = f"precision {policy.target_precision:.2g}"
    return target, f"{policy.dataset} ({policy.split}), {policy.count}"


def _reached(thresholds: decision_pb2.ThresholdSet) -> str:
    measured = [one.when_present for one in thresholds.bands if one.HasField("when_present")]
    if not measured:
        return ""
    worst = min(measured, key=lambda one: (one.precision, one.precision_low))
    return f"{worst.precision:.2f} ({worst.precision_low:.2f})"


def _given(thresholds: decision_pb2.ThresholdSet, model: model_pb2.Model) -> str:
    given = {band.label: band.HasField("present_from") for band in thresholds.bands}
    count = sum(given.get(label.id, given.get(_REST, False)) for label in model.labels)
    return f"{count} of {len(model.labels)}"
