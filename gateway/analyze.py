"""analyze(): decode, fan out, merge; the one function behind every door."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chassis.admission import Admission
from chassis.call import MAX_ID_CHARACTERS, Call, valid_id
from chassis.decoder import Decoder, unusable
from chassis.errors import InvalidRequest, Violation
from chassis.options import Options, Vocabulary, violations
from chassis.telemetry import COMPLETENESS, MERGE, span
from gateway.backends import Backend, max_side
from gateway.fanout import Ask, fan_out
from gateway.merge import merge
from gateway.pulse import Pulse
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import captioner_pb2, classifier_pb2, detector_pb2, image_pb2

_NO_OPTIONS: Final[Mapping[str, Options]] = {
    "classification": classifier_pb2.ClassificationOptions(),
    "caption": captioner_pb2.CaptionOptions(),
    "detection": detector_pb2.DetectionOptions(),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the deployment."""

    name: str
    task: str  # a key of _NO_OPTIONS, which is also the name of its options' field
    backend: Backend
    on_by_default: bool
    pulse: Pulse


class Analyzer:
    """Analyses photos with a deployment's features."""

    def __init__(
        self, features: Mapping[str, Feature], decoder: Decoder, admission: Admission
    ) -> None:
        self._features = features
        self._decoder = decoder
        self._admission = admission

    async def analyze(self, request: pb.AnalyzeImageRequest, call: Call) -> pb.AnalyzeImageResponse:
        """The photo's outcome per feature asked for.

        Raises InvalidRequest with every violation, InvalidImage, QueueFull, DeadlineExceeded, and
        AnalysisFailed when no feature, or not every required one, answered.
        """
        self._check(request)
        asked = self._asked(request)
        async with self._admission.place(call) as admitted:
            sides = {feature.name: max_side(feature.backend) for feature, _ in asked}
            views = await self._decoder.views(request.image, frozenset(sides.values()), call)
            asks = [
                Ask(
                    feature.name,
                    feature.backend,
                    feature.pulse,
                    views.by_side[sides[feature.name]],
                    options,
                )
                for feature, options in asked
            ]
            outcomes = await fan_out(asks, call, admitted.lend)
        with span(MERGE, call.trace) as own:
            response = merge(outcomes, [one.feature for one in request.features if one.required])
            own.set_attribute(COMPLETENESS, completeness_name(response.completeness))
        photo = views.photo
        response.image.CopyFrom(
            image_pb2.ImageProperties(
                width=photo.width,
                height=photo.height,
                format=photo.format,
                sha256=photo.sha256.hex(),
            )
        )
        response.request_id = call.request_id
        response.lane = call.lane
        return response

    def _asked(self, request: pb.AnalyzeImageRequest) -> list[tuple[Feature, Options]]:
        if not request.features:
            chosen = [one for one in self._features.values() if one.on_by_default]
            return [(feature, _NO_OPTIONS[feature.task]) for feature in chosen]
        return [
            (feature, getattr(one, feature.task))
            for one in request.features
            for feature in (self._features[one.feature],)
        ]

    def _check(self, request: pb.AnalyzeImageRequest) -> None:
        found = (*unusable(request.image), *_of_ids(request), *self._of_features(request))
        if found:
            raise InvalidRequest(*found)

    def _of_features(self, request: pb.AnalyzeImageRequest) -> Iterator[Violation]:
        if not request.features and not self._asked(request):
            yield Violation("features", "no feature is on by default here: name those to analyse")
        seen: set[str] = set()
        for number, one in enumerate(request.features):
            path = f"features[{number}]"
            if one.feature in seen:
                yield Violation(f"{path}.feature", f"{one.feature} is asked for twice")
            seen.add(one.feature)
            feature = self._features.get(one.feature)
            if feature is None:
                known = ", ".join(sorted(self._features))
                yield Violation(f"{path}.feature", f"no feature {one.feature!r}: there is {known}")
                continue
            given = one.WhichOneof("options")
            if given is not None and given != feature.task:
                yield Violation(f"{path}.{given}", f"{one.feature} takes {feature.task} options")
            elif given is not None:
                yield from violations(getattr(one, given), _vocabulary(feature), f"{path}.{given}")


def completeness_name(completeness: pb.Completeness) -> str:
    """Such as "partial"."""
    return pb.Completeness.Name(completeness).removeprefix("COMPLETENESS_").lower()


def _vocabulary(feature: Feature) -> Vocabulary | None:
    model = feature.backend.model()
    if model is None:
        return None
    return Vocabulary(frozenset(label.id for label in model.labels), model.threshold_sets)


def _of_ids(request: pb.AnalyzeImageRequest) -> Iterator[Violation]:
    for field in ("request_id", "affinity_key"):
        text = getattr(request, field)
        if text and not valid_id(text):
            yield Violation(
                field, f"must be at most {MAX_ID_CHARACTERS} printable ASCII characters"
            )
