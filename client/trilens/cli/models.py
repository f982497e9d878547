"""`trilens models`: what a server can do, as tables."""

import json
from collections.abc import Iterator

import grpc
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trilens.cli import thresholds
from trilens.cli.exits import EXIT_FULL
from trilens.cli.lines import as_json as to_json
from trilens.cli.terminal import Failure, Terminal, readable, trouble
from trilens.client import Client
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import explanation_pb2, model_pb2

_HEADINGS = (
    "feature",
    "task",
    "model",
    "version",
    "runtime",
    "licence",
    "commercial use",
    "by default",
)
_METHODS = {
    explanation_pb2.EXPLANATION_METHOD_OCCLUSION: "covering each place in turn",
    explanation_pb2.EXPLANATION_METHOD_ATTENTION: "where it looked for each word",
}
_TASKS = {
    model_pb2.TASK_CLASSIFICATION: "classification",
    model_pb2.TASK_CAPTION: "caption",
    model_pb2.TASK_DETECTION: "detection",
}


def list_models(client: Client, server: str, *, as_json: bool) -> int:
    """Writes a table of the server's features and their models."""
    features = _features(client, server)
    terminal = Terminal()
    if as_json:
        for feature in features:
            terminal.line(json.dumps(to_json(feature)))
        return EXIT_FULL
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for feature in features:
        table.add_row(*_row(feature))
    terminal.show(table)
    return EXIT_FULL


def show_model(client: Client, server: str, name: str, *, as_json: bool) -> int:
    """Writes everything about one model, found by its own name or its feature's."""
    features = _features(client, server)
    found = [feature for feature in features if name in (feature.feature, feature.model.ref.name)]
    if not found:
        names = ", ".join(feature.feature for feature in features)
        raise Failure(f"{server} has no model {name!r}; it has {names}")
    terminal = Terminal()
    for feature in found:
        if as_json:
            terminal.line(json.dumps(to_json(feature)))
        elif not feature.HasField("model"):
            raise Failure(f"{feature.feature}: its model is not ready")
        else:
            terminal.show(Group(*_everything(feature)))
    return EXIT_FULL


def _features(client: Client, server: str) -> tuple[pb.FeatureDescription, ...]:
    try:
        return tuple(client.capabilities().features)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise Failure(trouble(error, server)) from error
    try:
        # No gateway, but perhaps the service of a single model.
        model = client.model()
    except grpc.RpcError as error:
        raise Failure(trouble(error, server)) from error
    return (
        pb.FeatureDescription(
            feature=model.feature, task=model.task, on_by_default=True, model=model
        ),
    )


def _row(feature: pb.FeatureDescription) -> Iterator[RenderableType]:
    model = feature.model
    yield readable(feature.feature)
    yield _TASKS.get(feature.task, f"task {feature.task}")
    if feature.HasField("model"):
        yield readable(model.ref.name)
        yield readable(model.ref.version)
        yield readable(model.runtime)
        yield readable(model.license.id)
        yield "yes" if model.license.commercial_use else Text("no", "bold yellow")
    else:
        yield Text("not ready", "yellow")
        yield from ("", "", "", "")
    yield "yes" if feature.on_by_default else "no"


def _licence(licence: model_pb2.License) -> Text:
    name = readable(licence.id) or "unknown"
    if licence.commercial_use:
        return Text(name)
    return Text.assemble(name, (" (no commercial use)", "bold yellow"))


def _everything(feature: pb.FeatureDescription) -> Iterator[RenderableType]:
    model = feature.model
    yield Text.assemble((f"{model.ref.name} {model.ref.version}", "bold"), f"  {model.summary}")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="cyan", no_wrap=True)
    facts.add_column()
    facts.add_row("feature", f"{feature.feature} ({_TASKS.get(feature.task, feature.task)})")
    facts.add_row("runtime", model.runtime)
    facts.add_row("digest", model.ref.digest)
    facts.add_row("makes use of", f"photos of up to {model.max_side} pixels on the longest side")
    if model.explanation_method:
        how = _METHODS.get(model.explanation_method, f"method {model.explanation_method}")
        facts.add_row("explains itself", f"by {how}: trilens explain")
    facts.add_row("licence", _licence(model.license))
    facts.add_row("", model.license.text)
    yield facts
    if model.metrics:
        yield _metrics(model)
    if model.labels:
        yield from thresholds.tables(model)
    if model.limits:
        yield Text("\nlimits", "bold")
        yield from (Padding(f"- {limit}", (0, 0, 0, 2)) for limit in model.limits)


def _metrics(model: model_pb2.Model) -> Table:
    """Figures on photos that nothing was chosen by; those on others only where there are none."""
    chosen = [metric for metric in model.metrics if metric.split != "val"] or model.metrics
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("measured")
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("on")
    table.add_column("examples", justify="right")
    for metric in chosen:
        known = metric.HasField("low") and metric.HasField("high")
        interval = f"{metric.low:.3g} to {metric.high:.3g}" if known else ""
        on = f"{metric.dataset} ({metric.split})"
        table.add_row(metric.name, f"{metric.value:.3g}", interval, on, str(metric.count))
    return table
