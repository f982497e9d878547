"""The three pipelines once more, as plainly as they can be written; shares no code with serving.

The bench's limit runs it, and what it answers is what every served answer is checked against.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import simplejpeg
from numpy.typing import NDArray

Photo = NDArray[Any]  # (height, width, 3), RGB, 8 bits
Arrays = dict[str, NDArray[Any]]


class Net:
    """An ONNX file as a function of named arrays."""

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Every output, by name."""
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))


def decode(content: bytes, side: int) -> Photo:
    """A photo no larger than `side`; JPEGs at reduced scale, others by OpenCV."""
    if content[:2] == b"\xff\xd8":
        height, width, _, _ = simplejpeg.decode_jpeg_header(content)
        wide = width >= height
        photo = simplejpeg.decode_jpeg(
            content,
            "RGB",
            min_width=side if wide else 1,
            min_height=1 if wide else side,
            min_factor=2,
        )
    else:
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError("OpenCV cannot decode the photo")
        photo = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return shrink(photo, side)


def shrink(photo: Photo, side: int) -> Photo:
    """No larger than `side`: interpolated to a multiple of the new size, then averaged."""
    ratio = max(photo.shape[:2]) / side
    if ratio <= 1:
        return photo
    width, height = (max(1, round(length / ratio)) for length in photo.shape[1::-1])
    whole = round(ratio)
    photo = cv2.resize(photo, (width * whole, height * whole), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class Package:
    """A package's manifest and networks."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.side = self.manifest["max_side"]
        self.parameters = self.manifest["parameters"]
        self.folder = folder
        self.nets = {
            key: Net(folder / artifact["path"], threads)
            for key, artifact in self.manifest["artifacts"].items()
            if artifact["path"].endswith(".onnx")
        }

    def planes(self, photos: NDArray[Any]) -> NDArray[np.float32]:
        """(n, height, width, 3) in 0..255 as the network takes it."""
        how = self.manifest["preprocessing"]
        scaled = (photos.astype(np.float32) - np.float32(how["mean"])) / np.float32(how["std"])
        if how["layout"] == "NCHW":
            scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
        return scaled

    def calibrated(self, label: str, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of a label, by its own fit or by the one for the rest."""
        fits = self.manifest["calibration"]
        fit = fits.get(label) or fits.get("*") or {"scale": 1.0, "offset": 0.0}
        return np.asarray(1 / (1 + np.exp(-logits * fit["scale"] - fit["offset"])), np.float64)


def overlap(edges: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box with many."""
    shared = np.minimum(edges[2:], other[:, 2:]) - np.maximum(edges[:2], other[:, :2])
    area = np.clip(shared, 0, None).prod(1)
    sizes = (other[:, 2:] - other[:, :2]).prod(1) + (edges[2:] - edges[:2]).prod()
    return np.asarray(area / (sizes - area), np.float32)


def best_apart(edges: NDArray[np.float32], scores: NDArray[Any], most_overlap: float) -> list[int]:
    """Greedy suppression: places of the boxes to keep, best first."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        kept.append(int(order[0]))
        far = overlap(edges[order[0]], edges[order[1:]]) <= most_overlap
        order = order[1:][far]
    return kept


class Objects(Package):
    """Letterbox, YOLO, suppression per label."""

    def __call__(self, photo: Photo) -> list[tuple[str, float, float]]:
        """Labels with scores at or above their default thresholds, which come last; best first."""
        side = self.manifest["preprocessing"]["width"]
        scale = side / max(photo.shape[:2])
        width, height = (
            max(1, round(photo.shape[1] * scale)),
            max(1, round(photo.shape[0] * scale)),
        )
        across, down = side, side
        if self.manifest["preprocessing"]["resize"] == "tight_letterbox":
            stride = self.parameters.get("stride", 32)
            across, down = (-(-length // stride) * stride for length in (width, height))
        canvas = np.full((down, across, 3), 114, np.uint8)
        left, top = (across - width) // 2, (down - height) // 2
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[top : top + height, left : left + width] = cv2.resize(
            photo, (width, height), interpolation=how
        )
        (raw,) = self.nets["detector"]({"images": self.planes(canvas[None])}).values()
        labels = [label["id"] for label in self.manifest["labels"]]
        bands = self.manifest["threshold_sets"][self.manifest["default_threshold_set"]]["labels"]
        found = []
        for label, rough in zip(labels, raw[0, 4:], strict=True):
            threshold = bands.get(label, bands.get("*"))["present"]
            if threshold is None:
                continue
            bounded = np.clip(rough, 1e-7, 1 - 1e-7)
            scores = self.calibrated(label, np.log(bounded) - np.log1p(-bounded))
            floor = self.parameters.get("floor", 0.01)
            (sure,) = np.nonzero((scores >= threshold) & (rough >= floor))
            if not len(sure):
                continue
            boxes = raw[0, :4, sure]
            edges = np.concatenate(
                [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1
            )
            kept = best_apart(edges, scores[sure], float(self.parameters.get("overlap", 0.6)))
            found += [(label, float(scores[sure[place]]), threshold) for place in kept]
        return sorted(found, key=lambda one: -one[1])


class Captions(Package):
    """Squash, encoder, beam search with a decoder."""

    def __init__(self, folder: Path, threads: int) -> None:
        super().__init__(folder, threads)
        artifact = self.manifest["artifacts"]["vocabulary"]
        self._words = (folder / artifact["path"]).read_text().splitlines()

    def __call__(self, photo: Photo) -> str:
        """The likeliest sentence."""
        how, rules = self.manifest["preprocessing"], self.parameters
        size = (how["width"], how["height"])
        squashed = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        memory = self.nets["encoder"]({"images": self.planes(squashed[None])})
        beams, power = rules["beams"], rules["length_power"]
        state = {name: np.repeat(memory[name], beams, 1) for name in ("hidden", "cell")}
        attended = {name: memory[name] for name in ("values", "keys")}
        going: list[tuple[float, list[int]]] = [(0.0, [rules["start"]])] * beams
        ended: list[tuple[float, list[int]]] = []
        for tokens in range(1, rules["longest"] + 1):
            words = np.array([[words[-1] for _, words in going]])
            said = self.nets["decoder"]({"words": words, **attended, **state})
            options = [
                (total + gain, beam, word)
                for beam, (total, words) in enumerate(going[: 1 if tokens == 1 else beams])
                for gain, word in zip(
                    said["log_probabilities"][0, beam].tolist(),
                    said["candidates"][0, beam].tolist(),
                    strict=True,
                )
                if word not in rules["never"] and word != words[-1]
            ]
            chosen: list[tuple[float, int, int]] = []
            for total, beam, word in sorted(options, key=lambda option: -option[0]):
                if len(chosen) == beams:
                    break
                if word != rules["end"]:
                    chosen.append((total, beam, word))
                elif tokens > 1 and len(ended) < beams:
                    ended.append((total / tokens**power, going[beam][1][1:]))
            going = [(total, [*going[beam][1], word]) for total, beam, word in chosen]
            if len(ended) == beams:
                break
            from_beams = [beam for _, beam, _ in chosen]
            state = {name: said[f"next_{name}"][:, from_beams] for name in state}
        best = max(ended)[1] if ended else going[0][1][1:]
        text = " ".join(self._words[word] for word in best).replace(" '", "'")
        return f"{text[:1].upper()}{text[1:]}."


class Attributes(Package):
    """MTCNN, crops framed by landmarks, the attributes network."""

    def __call__(self, photo: Photo) -> list[dict[str, float]]:
        """Each face's scores by label, the surest face first."""
        crops = [self._crop(photo, points) for points in self._faces(photo)]
        if not crops:
            return []
        (logits,) = self.nets["attributes"]({"images": self.planes(np.stack(crops))}).values()
        labels = [label["id"] for label in self.manifest["labels"]]
        return [
            {
                name: float(self.calibrated(name, logit))
                for name, logit in zip(labels, row, strict=True)
            }
            for row in logits
        ]

    def _faces(self, photo: Photo) -> list[NDArray[np.float32]]:
        """Landmarks (5, 2) of each face, the surest first."""
        side = self.parameters.get("max_side", self.side)
        first, second, third = self.parameters.get("thresholds", (0.6, 0.7, 0.8))
        reduced = shrink(photo, side)
        scale = 12 / self.parameters.get("min_face", 32.0)
        boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        copy = reduced
        while min(reduced.shape[:2]) * scale >= 12:
            size = (round(reduced.shape[1] * scale), round(reduced.shape[0] * scale))
            copy = cv2.resize(copy, size, interpolation=cv2.INTER_AREA)
            seen = self.nets["pnet"]({"images": _centred(copy[None])})
            rows, columns = np.nonzero(seen["score"][0, 0] >= first)
            corner = np.stack([columns, rows], 1).astype(np.float32) * 2
            exact = np.float32(np.divide(reduced.shape[1::-1], size))
            found = np.concatenate([corner * exact, (corner + 12) * exact], 1)
            score = seen["score"][0, 0, rows, columns]
            kept = best_apart(found, score, 0.5)
            boxes.append(_moved(found[kept], seen["offsets"][0][:, rows[kept], columns[kept]].T))
            scores.append(score[kept])
            scale *= self.parameters.get("factor", 0.709)
        squares = _squares(np.concatenate(boxes), np.concatenate(scores))
        if not len(squares):
            return []
        seen = self.nets["rnet"]({"images": _cuts(reduced, squares, 24)})
        sure = seen["score"][:, 0] >= second
        squares = _squares(_moved(squares[sure], seen["offsets"][sure]), seen["score"][sure, 0])
        if not len(squares):
            return []
        seen = self.nets["onet"]({"images": _cuts(reduced, squares, 48)})
        (sure,) = np.nonzero(seen["score"][:, 0] >= third)
        edges, score = _moved(squares[sure], seen["offsets"][sure]), seen["score"][sure, 0]
        points = seen["landmarks"][sure].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = squares[sure, None, :2] + points * (squares[sure, 2:] - squares[sure, :2])[:, None]
        return [
            points[place] * photo.shape[1] / reduced.shape[1] for place in _unnested(edges, score)
        ]

    def _crop(self, photo: Photo, points: NDArray[np.float32]) -> Photo:
        """The face as the attributes network was taught to see faces."""
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
        reach = max(np.linalg.norm(points[0] - points[1]), np.linalg.norm(eyes - mouth))
        half, centre = 3.1 * reach / 2, (eyes + mouth) / 2
        side = self.manifest["preprocessing"]["width"]
        return _cut(photo, np.concatenate([centre - half, centre + half]), side)


def _centred(images: Photo) -> NDArray[np.float32]:
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    return (planes - np.float32(127.5)) / np.float32(128)


def _moved(boxes: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _squares(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    kept = boxes[best_apart(boxes, scores, 0.7)]
    half = (kept[:, 2:] - kept[:, :2]).max(1, keepdims=True) / 2
    centre = (kept[:, 2:] + kept[:, :2]) / 2
    return np.concatenate([centre - half, centre + half], 1)


def _unnested(edges: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """Greedy suppression by the shared part of the smaller box."""
    kept: list[int] = []
    areas = (edges[:, 2:] - edges[:, :2]).prod(1)
    for place in np.argsort(-scores, kind="stable").tolist():
        near = np.maximum(edges[place, :2], edges[kept, :2])
        far = np.minimum(edges[place, 2:], edges[kept, 2:])
        shared = np.clip(far - near, 0, None).prod(1)
        if (shared <= 0.7 * np.minimum(areas[place], areas[kept])).all():
            kept.append(place)
    return kept


def _cuts(photo: Photo, boxes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return _centred(np.stack([_cut(photo, box, side) for box in boxes]))


def _cut(photo: Photo, box: NDArray[Any], side: int) -> Photo:
    """A square's content, borders repeated, scaled."""
    left, top = (int(np.floor(edge)) for edge in box[:2])
    size = max(1, round(float(box[2] - box[0])))
    height, width = photo.shape[:2]
    if left < 0 or top < 0 or left + size > width or top + size > height:
        columns = np.clip(np.arange(left, left + size), 0, width - 1)
        rows = np.clip(np.arange(top, top + size), 0, height - 1)
        inside = photo[rows[:, None], columns]
    else:
        inside = photo[top : top + size, left : left + size]
    how = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (side, side), interpolation=how), np.uint8)
