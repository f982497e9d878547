"""The networks of the tiny packages, in ONNX's own text form; each by its artefact's name."""

from collections.abc import Iterable
from itertools import chain
from typing import Final, TypeAlias

Order: TypeAlias = tuple[int, int, int]  # the channels that are taken for red, green and blue

COLOURS: Final = ("red", "green", "blue")
WORDS: Final = ("<end>", "<start>", "a", *COLOURS, "photo")
SIDE: Final = 32  # pixels of every network's input


def detector(order: Order, shift: float) -> dict[str, str]:
    """A box for each quarter of the photo, `shift` pixels to the right of it."""
    xs = [place + shift for place in (8, 24, 8, 24)]
    boxes = [*xs, 8, 8, 24, 24, *[14] * 8]
    return {
        "detector": f"""(float[n, 3, {SIDE}, {SIDE}] images) => (float[n, 7, 4] output0)
            <{_ORDER.format(*order)}, float[1, 4, 4] boxes = {_list(boxes)},
             int64[3] flat = {{0, 3, 4}}, float zero = {{0}}, float gain = {{30}}> {{
            colours = Gather <axis = 1> (images, order)
            quarters = AveragePool <kernel_shape = [16, 16], strides = [16, 16]> (colours)
            means = Reshape (quarters, flat)
            grey = ReduceMean <axes = [1]> (means)
            strengths = Sub (means, grey)
            logits = Mul (strengths, gain)
            scores = Sigmoid (logits)
            nothing = Mul (grey, zero)
            places = Add (nothing, boxes)
            output0 = Concat <axis = 1> (places, scores) }}"""
    }


def classifier(order: Order) -> dict[str, str]:
    """One face at the photo's top left, whatever is there."""
    face = [0.3, 0.7, 0.5, 0.35, 0.65, 0.35, 0.35, 0.55, 0.75, 0.75]  # landmarks: x, then y
    return {
        "attributes": f"""(float[n, 3, {SIDE}, {SIDE}] images) => (float[n, 3] logits)
            <{_ORDER.format(*order)}, float gain = {{30}}> {{
            colours = Gather <axis = 1> (images, order)
            means = ReduceMean <axes = [2, 3], keepdims = 0> (colours)
            grey = ReduceMean <axes = [1]> (means)
            strengths = Sub (means, grey)
            logits = Mul (strengths, gain) }}""",
        "pnet": f"""(float[n, 3, h, w] images)
            => (float[n, 1, 1, 1] score, float[n, 4, 1, 1] offsets)
            <float zero = {{0}}, float one = {{1}},
             float[1, 4, 1, 1] wider = {_list([0, 0, 1, 1])}> {{
            grey = ReduceMean <axes = [1, 2, 3]> (images)
            nothing = Mul (grey, zero)
            score = Add (nothing, one)
            offsets = Add (nothing, wider) }}""",
        "rnet": f"(float[n, 3, 24, 24] images) => {_SURE} <{_ONE}> {{ {_SEEN} }}",
        "onet": f"""(float[n, 3, 48, 48] images) => {_SURE[:-1]}, float[n, 10] landmarks)
            <{_ONE}, float[1, 10] face = {_list(face)}> {{ {_SEEN}
            landmarks = Add (nothing, face) }}""",
    }


def captioner(order: Order) -> dict[str, str]:
    """Sentences like: a red photo; the second best names another colour."""
    words = len(WORDS)
    # From each word to those that may follow it: a <colour> photo <end>.
    follows = [[-50.0] * words for _ in WORDS]
    for one, others in {1: (2,), 2: (3, 4, 5), 3: (6,), 4: (6,), 5: (6,), 6: (0,)}.items():
        for other in others:
            follows[one][other] = 0.0
    named = [[float(word == 3 + colour) for word in range(words)] for colour in range(3)]
    seen = "float[n, 1, 3] values, float[n, 1, 3] keys, float[n, 1, 3] hidden, float[n, 1, 3] cell"
    held = "float[n, 1, 3] values, float[n, 1, 3] keys, float[n, b, 3] hidden, float[n, b, 3] cell"
    said = "float[n, b, 5] log_probabilities, int64[n, b, 5] candidates"
    after = "float[n, b, 3] next_hidden, float[n, b, 3] next_cell"
    return {
        "encoder": f"""(float[n, 3, {SIDE}, {SIDE}] images) => ({seen})
            <{_ORDER.format(*order)}, float gain = {{30}}, int64[1] row = {{1}}> {{
            colours = Gather <axis = 1> (images, order)
            means = ReduceMean <axes = [2, 3], keepdims = 0> (colours)
            grey = ReduceMean <axes = [1]> (means)
            strengths = Sub (means, grey)
            scaled = Mul (strengths, gain)
            values = Unsqueeze (scaled, row)
            keys = Identity (values)
            hidden = Identity (values)
            cell = Identity (values) }}""",
        "decoder": f"""(int64[n, b] words, {held}) => ({said}, {after})
            <float[{words}, {words}] follows = {_list(chain(*follows))},
             float[3, {words}] named = {_list(chain(*named))}, int64[1] most = {{5}}> {{
            allowed = Gather <axis = 0> (follows, words)
            wanted = MatMul (hidden, named)
            logits = Add (allowed, wanted)
            all = LogSoftmax <axis = 2> (logits)
            log_probabilities, candidates = TopK <axis = 2> (all, most)
            next_hidden = Identity (hidden)
            next_cell = Identity (cell) }}""",
    }


def _list(values: Iterable[float]) -> str:
    return "{" + ", ".join(f"{value:g}" for value in values) + "}"


_ORDER: Final = "int64[3] order = {{{}, {}, {}}}"
_SURE: Final = "(float[n, 1] score, float[n, 4] offsets)"
_ONE: Final = (
    "float zero = {0}, float one = {1}, float[1, 4] still = {0, 0, 0, 0}, int64[1] axis = {1}"
)
_SEEN: Final = """grey = ReduceMean <axes = [1, 2, 3], keepdims = 0> (images)
            column = Unsqueeze (grey, axis)
            nothing = Mul (column, zero)
            score = Add (nothing, one)
            offsets = Add (nothing, still)"""
