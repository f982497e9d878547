"""CaptionerService: protobuf on one side, a captioner on the other."""

from chassis.call import Call, current_call
from chassis.decoder import Decoder
from chassis.doors import Context
from chassis.images import Pixels
from services.answers import Answer, answer
from services.captioner.model import Candidate, Captions
from services.hosting import ModelHost
from trilens.v1 import captioner_pb2 as pb
from trilens.v1 import captioner_pb2_grpc as rpc


class CaptionerServicer(rpc.CaptionerServiceServicer):
    """Reads the request, asks the model, writes the answer the caller asked for."""

    def __init__(self, host: ModelHost[Captions], decoder: Decoder) -> None:
        self._host = host
        self._decoder = decoder

    async def CaptionImage(
        self, request: pb.CaptionImageRequest, _: Context
    ) -> pb.CaptionImageResponse:
        """One photo's caption."""
        call = current_call()
        self._host.choices.check(request.options)  # before the photo costs anything
        pixels = await self._decoder.pixels(request.image, self._host.max_side, call)
        given = await self._answer(pixels, request.options, call)
        return pb.CaptionImageResponse(
            caption=given.result, model=given.model, timings=given.timings
        )

    async def answer(
        self, pixels: Pixels, options: pb.CaptionOptions, call: Call
    ) -> Answer[pb.Caption]:
        """The same for pixels that are at hand; what a gateway in this process calls."""
        self._host.choices.check(options)
        return await self._answer(pixels, options, call)

    async def _answer(
        self, pixels: Pixels, options: pb.CaptionOptions, call: Call
    ) -> Answer[pb.Caption]:
        predicted = await self._host.predict(pixels, call)
        chosen = _chosen(predicted.prediction, options)
        result = _caption(chosen)
        if options.explain:
            why = await self._host.explain(pixels, Captions(chosen[:1]), call)
            result.explanation.CopyFrom(why)
        return answer(result, predicted, self._host.package)


def _chosen(captions: Captions, options: pb.CaptionOptions) -> tuple[Candidate, ...]:
    candidates = captions.candidates
    if options.HasField("min_mean_log_probability"):
        least = options.min_mean_log_probability
        candidates = tuple(one for one in candidates if one.log_probability >= least * one.tokens)
    return candidates[: options.max_candidates if options.HasField("max_candidates") else 1]


def _caption(chosen: tuple[Candidate, ...]) -> pb.Caption:
    return pb.Caption(
        text=chosen[0].text if chosen else "",
        candidates=[
            pb.CaptionCandidate(
                text=one.text,
                log_probability=one.log_probability,
                tokens=one.tokens,
                confidence=one.confidence,
            )
            for one in chosen
        ],
    )
