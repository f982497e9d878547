"""ClassifierService: protobuf on one side, a classifier on the other."""

from chassis.call import Call, current_call
from chassis.decoder import Decoder
from chassis.doors import Context
from chassis.images import Pixels
from services.answers import Answer, answer, box_message
from services.choices import Choice
from services.classifier.model import Attributes, LabelScore
from services.decisions import Edges, likelihood
from services.hosting import ModelHost
from trilens.v1 import classifier_pb2 as pb
from trilens.v1 import classifier_pb2_grpc as rpc


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
        return answer(result, predicted, self._host.package, choice.threshold_set)


def _classification(
    attributes: Attributes, choice: Choice, options: pb.ClassificationOptions
) -> pb.Classification:
    faces = attributes.faces
    if options.HasField("max_faces"):
        faces = faces[: options.max_faces]
    return pb.Classification(
        labels=_labels(attributes.scores, choice),
        faces=[
            pb.Face(
                box=box_message(face.box),
                confidence=face.confidence,
                labels=_labels(face.scores, choice),
            )
            for face in faces
        ],
    )


def _labels(scores: tuple[LabelScore, ...], choice: Choice) -> list[pb.LabelScore]:
    best_first = sorted(scores, key=lambda score: -score.score)
    return [_label(one, choice.edges[one.label]) for one in best_first if one.label in choice.edges]


def _label(one: LabelScore, edges: Edges) -> pb.LabelScore:
    return pb.LabelScore(
        label=one.label,
        score=one.score,
        present_from=edges.present,
        absent_below=edges.absent,
        decision=edges.decide(one.score),
        likelihood=likelihood(one.score),
    )
