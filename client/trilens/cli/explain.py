"""`trilens explain`: the same answers, and what they rest on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trilens import request
from trilens.cli import report
from trilens.cli.analyze import Manner, Order, analyze, is_full
from trilens.cli.reasons import Explained, cover, explained, look
from trilens.cli.report import percent
from trilens.cli.sheet import draw
from trilens.cli.terminal import Failure, readable
from trilens.client import Client
from trilens.errors import explain as in_words
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import explanation_pb2, image_pb2, model_pb2


@dataclass(frozen=True, slots=True)
class Wish:
    """What to explain of the faces."""

    faces: int | None  # at most; None for the server's own number
    labels: Sequence[str]  # empty for all


def explain(
    client: Client,
    server: str,
    order: Order,
    wish: Wish,
    *,
    as_json: bool,
    pictures: Mapping[int, Path],
) -> int:
    """Explains the photos as `analyze` analyses them; what is not explained counts as missing."""
    manner = Manner(lambda asked, order: _ask(asked, order, wish), _shown, draw, _is_explained)
    return analyze(client, server, order, as_json=as_json, pictures=pictures, manner=manner)


def _ask(client: Client, order: Order, wish: Wish) -> tuple[pb.FeatureRequest, ...]:
    """Requests for the features named, else for all that explain.

    Raises click.UsageError for a name that explains nothing, Failure if nothing does.
    """
    features = client.capabilities().features
    method = {one.feature: one.model.explanation_method for one in features}
    able = [one for one in features if method[one.feature]]
    mute = [name for name in order.features if name in method and not method[name]]
    not_ready = [one.feature for one in features if not one.HasField("model")]
    if mute and (unknown := [name for name in mute if name in not_ready]):
        raise Failure(f"cannot tell whether they explain: {', '.join(unknown)} is not ready")
    if mute:
        raise click.UsageError(f"{', '.join(mute)} explains nothing here")
    if not able:
        raise Failure("no feature of this server explains its answers")
    tasks = {one.feature: one.task for one in able}
    names: Sequence[str] = order.features or [one.feature for one in able]
    if wish.labels:
        names = _with_labels(names, tasks, named=bool(order.features))
    chosen = request.choose(names, ())
    for feature in chosen:
        if tasks.get(feature.feature) == model_pb2.TASK_CAPTION:
            feature.caption.explain = True
        elif feature.feature in tasks:
            faces = explanation_pb2.ExplainFaces(max_faces=wish.faces, labels=wish.labels)
            feature.classification.explain.CopyFrom(faces)
    return chosen


def _with_labels(
    names: Sequence[str], tasks: Mapping[str, model_pb2.Task], *, named: bool
) -> Sequence[str]:
    """Features that have labels to explain, and others only if they were named beside one.

    Raises click.UsageError if there is none.
    """
    labelled = [name for name in names if tasks.get(name) != model_pb2.TASK_CAPTION]
    if not labelled:
        raise click.UsageError(f"--label is of faces, which {', '.join(names)} does not explain")
    return names if named else labelled


def _shown(name: str, response: pb.AnalyzeImageResponse, seconds: float) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="cyan")
    rows.add_column()
    for one in explained(response):
        if why := tuple(_why(one, response.image)):
            rows.add_row(one.feature, Group(*why))
    answer = report.answered(name, response, seconds)
    return Group(answer, Padding(rows, (0, 0, 1, 2))) if rows.row_count else answer


def _why(one: Explained, image: image_pb2.ImageProperties) -> Iterator[Text]:
    heatmaps = one.explanation.heatmaps
    if one.outcome.WhichOneof("result") == "classification":
        yield from _labels(one, heatmaps, image)
    elif heatmaps:
        yield _words(heatmaps)
    if one.explanation.status.code:
        why = readable(in_words(one.explanation.status).said)
        yield Text(f"not all is explained: {why}", "yellow")


def _labels(
    one: Explained,
    heatmaps: Iterable[explanation_pb2.Heatmap],
    image: image_pb2.ImageProperties,
) -> Iterator[Text]:
    for heatmap in heatmaps:
        found = cover(one.outcome.classification, heatmap)
        place = f"{found.across * image.width:.0f},{found.down * image.height:.0f}"
        yield Text(
            f"face {heatmap.face + 1}: {readable(heatmap.label)} {percent(found.score)}, "
            f"{percent(found.covered)} with the place at {place} covered"
        )


def _words(heatmaps: Iterable[explanation_pb2.Heatmap]) -> Text:
    # Words that come one after the other and looked at the same place are told together.
    places = groupby(heatmaps, key=lambda heatmap: look(heatmap).place)
    return Text("looked at: ") + Text(", ").join(
        Text.assemble(" ".join(readable(one.word) for one in words), (f" ({place})", "dim"))
        for place, words in places
    )


def _is_explained(response: pb.AnalyzeImageResponse) -> bool:
    return is_full(response) and not any(one.explanation.status.code for one in explained(response))
