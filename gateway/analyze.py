"""analyze(): decode, fan out, merge; the one function behind every door."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from chassis.admission import Admission
from chassis.call import Call
from chassis.decoder import Decoder, Views, size
from chassis.options import Options
from chassis.telemetry import COMPLETENESS, LANE, MERGE, mark, span
from gateway.answers import Answers
from gateway.backends import max_side
from gateway.checks import check, check_outcomes
from gateway.fanout import Ask, fan_out
from gateway.features import Feature
from gateway.lanes import Lane, Lanes
from gateway.merge import merge
from gateway.outcomes import Failure, Outcome
from gateway.shadow import Shadows
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import image_pb2

logger = logging.getLogger(__name__)


class Analyzer:
    """Analyses photos with a deployment's features."""

    def __init__(
        self,
        features: Mapping[str, Feature],
        lanes: Lanes,
        shadows: Shadows,
        decoder: Decoder,
        admission: Admission,
    ) -> None:
        self._tasks = {name: feature.task for name, feature in features.items()}
        self._defaults = [name for name, one in features.items() if one.on_by_default]
        self._lanes = lanes
        self._shadows = shadows
        self._decoder = decoder
        self._admission = admission
        self._answers = Answers()

    async def analyze(self, request: pb.AnalyzeImageRequest, call: Call) -> pb.AnalyzeImageResponse:
        """The photo's outcome per feature asked for.

        Raises InvalidRequest with every violation, InvalidImage, QueueFull, DeadlineExceeded, and
        AnalysisFailed when no feature, or not every required one, answered.
        """
        check(request, self._tasks, has_defaults=bool(self._defaults))
        with self._lanes.lane(call, request.affinity_key) as lane:
            mark(call.trace, LANE, lane.name)
            own = replace(call, lane=lane.name)
            with self._answers.photo(own):
                response = await self._on(lane, request, own)
            self._answers.answered(completeness_name(response.completeness), own)
            return response

    async def _on(
        self, lane: Lane, request: pb.AnalyzeImageRequest, call: Call
    ) -> pb.AnalyzeImageResponse:
        asked = self._asked(request, lane)
        async with self._admission.place(call, size(request.image)) as admitted:
            copied = self._shadows.plan(lane, asked)
            sides = {feature.name: max_side(feature.backend) for feature, _ in asked}
            wanted = frozenset(sides.values()).union(copied.sides.values())
            views = await self._decoder.views(request.image, wanted, call)
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
        check_outcomes(request, self._tasks, outcomes)
        self._shadows.send(copied, views, outcomes, call)
        return _answer(request, views, outcomes, call)

    def _asked(self, request: pb.AnalyzeImageRequest, lane: Lane) -> list[tuple[Feature, Options]]:
        if not request.features:
            defaults = (lane.features[name] for name in self._defaults)
            return [(feature, feature.task.no_options) for feature in defaults]
        return [
            (feature, getattr(one, feature.task.name))
            for one in request.features
            for feature in (lane.features[one.feature],)
        ]


def _answer(
    request: pb.AnalyzeImageRequest, views: Views, outcomes: Mapping[str, Outcome], call: Call
) -> pb.AnalyzeImageResponse:
    with span(MERGE, call.trace) as own:
        required = [one.feature for one in request.features if one.required]
        response = merge(outcomes, required)
        own.set_attribute(COMPLETENESS, completeness_name(response.completeness))
    if response.completeness != pb.COMPLETENESS_FULL:
        logger.info("partial answer: %s", missing(outcomes))
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


def missing(outcomes: Mapping[str, Outcome]) -> str:
    """Which features did not answer, and why, for the log."""
    return "; ".join(
        f"{feature}: {outcome.end.status.message}"
        for feature, outcome in sorted(outcomes.items())
        if isinstance(outcome.end, Failure)
    )


def completeness_name(completeness: pb.Completeness) -> str:
    """Such as "partial"."""
    return pb.Completeness.Name(completeness).removeprefix("COMPLETENESS_").lower()
