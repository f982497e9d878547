"""DetectorService: protobuf on one side, a detector on the other."""

from chassis.call import Call, current_call
from chassis.decoder import Decoder
from chassis.doors import Context
from chassis.images import Pixels
from services.answers import Answer, answer, box_message
from services.choices import Choice
from services.decisions import likelihood
from services.detector.model import Detections
from services.hosting import ModelHost
from trilens.v1 import detector_pb2 as pb
from trilens.v1 import detector_pb2_grpc as rpc
from trilens.v1.decision_pb2 import DECISION_PRESENT as PRESENT
from trilens.v1.decision_pb2 import DECISION_UNCERTAIN as UNCERTAIN


class DetectorServicer(rpc.DetectorServiceServicer):
    """Reads the request, asks the model, writes the answer the caller asked for."""

    def __init__(self, host: ModelHost[Detections], decoder: Decoder) -> None:
        self._host = host
        self._decoder = decoder

    async def DetectObjects(
        self, request: pb.DetectObjectsRequest, _: Context
    ) -> pb.DetectObjectsResponse:
        """One photo's objects."""
        call = current_call()
        choice = self._host.choices.choose(request.options)  # before the photo costs anything
        pixels = await self._decoder.pixels(request.image, self._host.max_side, call)
        given = await self._answer(pixels, request.options, choice, call)
        return pb.DetectObjectsResponse(
            detection=given.result, model=given.model, timings=given.timings
        )

    async def answer(
        self, pixels: Pixels, options: pb.DetectionOptions, call: Call
    ) -> Answer[pb.Detection]:
        """The same for pixels that are at hand; what a gateway in this process calls."""
        return await self._answer(pixels, options, self._host.choices.choose(options), call)

    async def _answer(
        self, pixels: Pixels, options: pb.DetectionOptions, choice: Choice, call: Call
    ) -> Answer[pb.Detection]:
        predicted = await self._host.predict(pixels, call)
        result = _detection(predicted.prediction, choice, options)
        return answer(result, predicted, self._host.package, choice.threshold_set)


def _detection(
    detections: Detections, choice: Choice, options: pb.DetectionOptions
) -> pb.Detection:
    decided = [
        (one, edges, edges.decide(one.score))
        for one in detections.boxes
        if (edges := choice.edges.get(one.label))
    ]
    # So that `max_objects` never leaves out a sure one for the sake of an unsure one.
    wanted = (PRESENT, UNCERTAIN) if options.include_uncertain else (PRESENT,)
    passed = [one for decision in wanted for one in decided if one[2] == decision]
    if options.HasField("max_objects"):
        passed = passed[: options.max_objects]
    return pb.Detection(
        objects=[
            pb.DetectedObject(
                label=one.label,
                score=one.score,
                present_from=edges.present,
                absent_below=edges.absent,
                decision=decision,
                likelihood=likelihood(one.score),
                box=box_message(one.box),
            )
            for one, edges, decision in passed
        ]
    )
