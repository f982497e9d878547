"""One photo's answer for people: what was seen, feature by feature."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trilens.cli.terminal import readable
from trilens.errors import Explanation, explain
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import captioner_pb2, classifier_pb2, decision_pb2, detector_pb2, image_pb2

_MOST_SCORES_LISTED = 4
STATES = {
    pb.STATE_TIMED_OUT: "timed out",
    pb.STATE_SHED: "shed",
    pb.STATE_FAILED: "failed",
    pb.STATE_SKIPPED: "skipped",
}


def answered(name: str, response: pb.AnalyzeImageResponse, seconds: float) -> RenderableType:
    """An answered photo: a heading, then a row per feature with its model and times."""
    image = response.image
    heading = Text.assemble(
        (readable(name), "bold"),
        (f"  {image.width} x {image.height} {image.format}  {milliseconds(seconds)}", "dim"),
    )
    if response.lane and response.lane != "stable":
        heading.append(f"  {response.lane}", "yellow")
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="cyan")
    rows.add_column()
    rows.add_column(no_wrap=True, style="dim")
    for feature, outcome in sorted(response.outcomes.items()):
        rows.add_row(feature, _answer(outcome, image), _ran(feature, outcome))
    return Group(heading, Padding(rows, (0, 0, 1, 2)))


def failed(name: str, why: Explanation) -> RenderableType:
    """A photo without an answer: why, and what each feature said where that is known."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="cyan")
    for end in why.features:
        if end.state != pb.STATE_OK:
            rows.add_row(end.feature, _absence(end.state, end.message))
    reason = Group(Text(readable(str(why)), "red"), rows)
    return Group(Text(readable(name), "bold"), Padding(reason, (0, 0, 1, 2)))


def milliseconds(seconds: float) -> str:
    """A duration as people read it at a glance."""
    return f"{seconds * 1000:.0f} ms"


def percent(score: float) -> str:
    """A probability as people read it at a glance; never rounded to a certainty that it is not."""
    if 0.995 <= score < 1:
        return ">99 %"
    if 0 < score < 0.005:
        return "<1 %"
    return f"{score * 100:.0f} %"


def _ran(feature: str, outcome: pb.FeatureOutcome) -> str:
    if outcome.state != pb.STATE_OK:
        return milliseconds(outcome.total_seconds)
    model, timings = outcome.model, outcome.timings
    name = "" if model.name == feature else f"{readable(model.name)} "
    shared = f", batch of {timings.batch_size}" if timings.batch_size > 1 else ""
    spent = f"{milliseconds(timings.infer_seconds)} + {milliseconds(timings.queue_seconds)} queue"
    return f"{name}{readable(model.version)}  {spent}{shared}"


def _answer(outcome: pb.FeatureOutcome, image: image_pb2.ImageProperties) -> RenderableType:
    if outcome.state != pb.STATE_OK:
        return _absence(outcome.state, explain(outcome.status).said)
    result = outcome.WhichOneof("result")
    if result == "classification":
        return Group(*_faces(outcome.classification, image))
    if result == "caption":
        return _sentence(outcome.caption)
    if result == "detection":
        return _objects(outcome.detection.objects)
    return Text("answered, with a result that this version of the client cannot show", "yellow")


def _sentence(caption: captioner_pb2.Caption) -> Text:
    said = Text(readable(caption.text) or "no sentence")
    best = next(iter(caption.candidates), None)
    if best is None or best.text != caption.text or not best.HasField("confidence"):
        return said
    return Text.assemble(said, (f"  ({percent(best.confidence)} as people put it)", "dim"))


def _absence(state: pb.State, why: str) -> Text:
    return Text(f"{STATES.get(state, f'state {state}')}: {readable(why)}", "yellow")


def _faces(
    classification: classifier_pb2.Classification, image: image_pb2.ImageProperties
) -> Iterator[Text]:
    faces = classification.faces
    if not faces:
        yield _labels(classification.labels) if classification.labels else Text("no faces")
    for number, face in enumerate(faces, start=1):
        # of several faces one wants to know which is which
        place = f" at {_middle(face.box, image)}" if len(faces) > 1 else ""
        yield Text(f"face {number}{place} ({percent(face.confidence)}): ") + _labels(face.labels)


def _middle(box: image_pb2.BoundingBox, image: image_pb2.ImageProperties) -> str:
    across = (box.x_min + box.x_max) / 2 * image.width
    down = (box.y_min + box.y_max) / 2 * image.height
    return f"{across:.0f},{down:.0f}"


def _labels(labels: Iterable[classifier_pb2.LabelScore]) -> Text:
    return Text(", ").join(_label(label) for label in labels)


def _label(label: classifier_pb2.LabelScore) -> Text:
    name, score = readable(label.label), percent(label.score)
    if label.decision == decision_pb2.DECISION_PRESENT:
        return Text(f"{name} {score}", "bold green")
    if label.decision == decision_pb2.DECISION_ABSENT:
        return Text(f"not {name} {score}", "dim")
    return Text(f"unsure: {name} {score}{_in_words(label.likelihood)}", "yellow")


def _in_words(likelihood: decision_pb2.Likelihood) -> str:
    if not likelihood or likelihood not in decision_pb2.Likelihood.values():  # of another version
        return ""
    words = decision_pb2.Likelihood.Name(likelihood).removeprefix("LIKELIHOOD_")
    return f" ({words.replace('_', ' ').lower()})"


def _objects(objects: Sequence[detector_pb2.DetectedObject]) -> Text:
    sure = [found for found in objects if found.decision == decision_pb2.DECISION_PRESENT]
    unsure = [found for found in objects if found.decision != decision_pb2.DECISION_PRESENT]
    shown = [*map(Text, _counted(sure))]
    shown += [Text(f"unsure: {text}", "yellow") for text in _counted(unsure)]
    return Text(", ").join(shown) if shown else Text("no objects")


def _counted(objects: Iterable[detector_pb2.DetectedObject]) -> Iterator[str]:
    scores: dict[str, list[float]] = {}
    for found in objects:  # best first, and so are the labels then
        scores.setdefault(found.label, []).append(found.score)
    for label, of_it in scores.items():
        yield _count(label, of_it)


def _count(label: str, scores: Sequence[float]) -> str:
    if len(scores) == 1:
        return f"{readable(label)} {percent(scores[0])}"
    if len(scores) <= _MOST_SCORES_LISTED:
        listed = ", ".join(map(percent, scores))
    else:
        listed = f"{percent(scores[0])} to {percent(scores[-1])}"
    return f"{len(scores)} x {readable(label)} ({listed})"
