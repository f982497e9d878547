"""ClassifierService: protobuf on one side, a classifier on the other."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from chassis.call import Call, current_call
from chassis.decoder import Decoder
from chassis.doors import Context
from chassis.images import Pixels
from services.answers import Answer, answer, box_message
from services.choices import Choice
from services.classifier.model import Attributes, Face, LabelScore
from services.decisions import Edges, likelihood
from services.hosting import ModelHost
from trilens.v1 import classifier_pb2 as pb
from trilens.v1 import classifier_pb2_grpc as rpc

_FACES_EXPLAINED: Final = 4  # unless the caller says otherwise
_LABELS_EXPLAINED: Final = 8  # of a face, at most


class ClassifierServicer(rpc.ClassifierServiceServicer):
    """Reads the request, asks the model, writes the answer the caller asked for."""

    def __init__(self, host: ModelHost[Attributes], decoder: Decoder) -> None:
        self._host = host
        self._decoder = decoder

    async def ClassifyImage(
        self, request: pb.ClassifyImageRequest, _: Context
    ) -> pb.ClassifyImageResponse:
        """One photo's labels and faces."""
        call = current_call()
        choice = self._host.choices.choose(request.options)  # before the photo costs anything
        pixels = await self._decoder.pixels(request.image, self._host.max_side, call)
        given = await self._answer(pixels, request.options, choice, call)
        return pb.ClassifyImageResponse(
            classification=given.result, model=given.model, timings=given.timings
        )

    async def answer(
        self, pixels: Pixels, options: pb.ClassificationOptions, call: Call
    ) -> Answer[pb.Classification]:
        """The same for pixels that are at hand; what a gateway in this process calls."""
        return await self._answer(pixels, options, self._host.choices.choose(options), call)

    async def _answer(
        self, pixels: Pixels, options: pb.ClassificationOptions, choice: Choice, call: Call
    ) -> Answer[pb.Classification]:
        predicted = await self._host.predict(pixels, call)
        result = _classification(predicted.prediction, choice, options)
        if options.HasField("explain"):
            part = _to_explain(predicted.prediction, choice, options)
            result.explanation.CopyFrom(await self._host.explain(pixels, part, call))
        return answer(result, predicted, self._host.package, choice.threshold_set)


def _classification(
    attributes: Attributes, choice: Choice, options: pb.ClassificationOptions
) -> pb.Classification:
    return pb.Classification(
        labels=_labels(attributes.scores, choice),
        faces=[
            pb.Face(
                box=box_message(face.box),
                confidence=face.confidence,
                labels=_labels(face.scores, choice),
            )
            for face in _faces(attributes, options)
        ],
    )


def _to_explain(
    attributes: Attributes, choice: Choice, options: pb.ClassificationOptions
) -> Attributes:
    """The faces to explain, each with the scores to explain."""
    explain = options.explain
    most = explain.max_faces if explain.HasField("max_faces") else _FACES_EXPLAINED
    labels = choice.edges.keys() & (explain.labels or choice.edges.keys())
    if not labels:
        return Attributes((), ())
    return Attributes(
        tuple(
            replace(face, scores=_best_first(face.scores, labels)[:_LABELS_EXPLAINED])
            for face in _faces(attributes, options)[:most]
        ),
        (),
    )


def _faces(attributes: Attributes, options: pb.ClassificationOptions) -> tuple[Face, ...]:
    most = options.max_faces if options.HasField("max_faces") else None
    return attributes.faces[:most]


def _best_first(scores: tuple[LabelScore, ...], labels: Collection[str]) -> tuple[LabelScore, ...]:
    chosen = (score for score in scores if score.label in labels)
    return tuple(sorted(chosen, key=lambda score: -score.score))


def _labels(scores: tuple[LabelScore, ...], choice: Choice) -> list[pb.LabelScore]:
    return [_label(one, choice.edges[one.label]) for one in _best_first(scores, choice.edges)]


def _label(one: LabelScore, edges: Edges) -> pb.LabelScore:
    return pb.LabelScore(
        label=one.label,
        score=one.score,
        present_from=edges.present,
        absent_below=edges.absent,
        decision=edges.decide(one.score),
        likelihood=likelihood(one.score),
    )
