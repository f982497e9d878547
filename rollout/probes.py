"""Probes: photos whose answer is known, named by where they lie and by their digest.

    {"schema": 1, "name": "ours", "probes": [
      {"uri": "dog.jpg", "sha256": "...", "labels": [
        {"feature": "objects", "present": "dog", "at": [0.1, 0.2, 0.6, 0.9]},
        {"feature": "objects", "absent": "cat"},
        {"feature": "captions", "words": ["dog", "puppy"]}]}]}

A `uri` is a file beside the manifest, a file:// or an http(s) address. Both tracks are asked the
same probes, and each photo counts once per feature: the track that has more of its labels right
wins it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.agreement import SAME_PLACE, matched
from gateway.tasks import Result
from rollout.judge.observation import Pairs
from trilens.v1 import captioner_pb2, classifier_pb2, decision_pb2, detector_pb2, image_pb2

BUILT_IN: Final = Path(__file__).parent / "built_in" / "probes.json"

_MOST_BYTES: Final = 20 << 20
_PATIENCE: Final = 30.0  # seconds for one photo from elsewhere
_WORD: Final = re.compile(r"\w+")

Box = tuple[float, float, float, float]


class BadProbes(ValueError):
    """A probe set that cannot be used; the text says why."""


class Label(BaseModel):
    """One thing that is known of a photo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    present: str = Field("", description="This label applies: to a face, or some object is one.")
    absent: str = Field("", description="This label does not apply, to that face or anywhere.")
    words: tuple[str, ...] = Field((), description="The caption has at least one of these words.")
    at: Box | None = Field(None, description="The box of the face or object, as in answers.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Label:
        if sum(map(bool, (self.present, self.absent, self.words))) != 1:
            raise ValueError("say one of present, absent, words")
        return self


class Probe(BaseModel):
    """A photo and what is known of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    labels: tuple[Label, ...] = Field(min_length=1)


class Manifest(BaseModel):
    """A probe set as it is written down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(1, alias="schema", ge=1, le=1)
    name: str
    probes: tuple[Probe, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A probe at hand."""

    content: bytes
    labels: tuple[Label, ...]

    def features(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Those of the wanted features that something is known for."""
        return tuple(sorted({one.feature for one in self.labels} & set(wanted)))


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """All probes, in their order."""

    name: str
    photos: tuple[LabelledPhoto, ...]

    def asked(self, features: Collection[str]) -> dict[str, int]:
        """Photos by feature: what a rollout of these features will have asked in the end."""
        counts = {
            feature: sum(feature in photo.features(features) for photo in self.photos)
            for feature in features
        }
        return {feature: count for feature, count in counts.items() if count}


def load(manifest: Path | str = BUILT_IN) -> ProbeSet:
    """Reads a set; raises BadProbes if it or a photo cannot be read, or differs in its digest.

    An address may end in `@sha256:DIGEST`, which the manifest then has to have.
    """
    address, _, digest = str(manifest).partition("@sha256:")
    base = address if urlsplit(address).scheme else Path(address).resolve().as_uri()
    content = _read(base)
    if digest:
        _check(base, content, digest)
    try:
        found = Manifest.model_validate_json(content)
    except ValueError as problem:
        raise BadProbes(f"{address}: {problem}") from problem
    photos = []
    for probe in found.probes:
        uri = urljoin(base, probe.uri)
        photo = _read(uri)
        _check(uri, photo, probe.sha256)
        photos.append(LabelledPhoto(photo, probe.labels))
    return ProbeSet(found.name, tuple(photos))


def right(result: Result, label: Label) -> bool:
    """Whether an answer says what is known. An uncertain decision says nothing, so it is wrong."""
    match result:
        case captioner_pb2.Caption():
            return not {word.lower() for word in label.words}.isdisjoint(
                _WORD.findall(result.text.lower())
            )
        case detector_pb2.Detection():
            return _detected(result, label)
        case classifier_pb2.Classification():
            return _decided(result, label)


def settled(stable: Result, canary: Result, labels: Collection[Label]) -> Pairs:
    """Who wins a photo: one pair, lost by the canary, won by it, or neither."""
    had = sum(right(stable, one) for one in labels)
    has = sum(right(canary, one) for one in labels)
    return Pairs(1, int(has < had), int(has > had))


def added(one: Mapping[str, Pairs], other: Mapping[str, Pairs]) -> dict[str, Pairs]:
    """Both together, by feature."""
    sums = dict(one)
    for feature, more in other.items():
        had = sums.get(feature, Pairs())
        sums[feature] = Pairs(had.asked + more.asked, had.lost + more.lost, had.won + more.won)
    return sums


def _detected(result: detector_pb2.Detection, label: Label) -> bool:
    wanted = label.present or label.absent
    boxes = [
        thing.box
        for thing in result.objects
        if thing.label == wanted and thing.decision == decision_pb2.DECISION_PRESENT
    ]
    if label.at is not None:
        boxes = [box for box in boxes if _there(box, label.at)]
    return bool(boxes) == bool(label.present)


def _decided(result: classifier_pb2.Classification, label: Label) -> bool:
    present = decision_pb2.DECISION_PRESENT
    decision = present if label.present else decision_pb2.DECISION_ABSENT
    faces = [face for face in result.faces if label.at is None or _there(face.box, label.at)]
    return any(
        score.label == (label.present or label.absent) and score.decision == decision
        for face in faces
        for score in face.labels
    )


def _there(box: image_pb2.BoundingBox, at: Box) -> bool:
    known = image_pb2.BoundingBox(x_min=at[0], y_min=at[1], x_max=at[2], y_max=at[3])
    pairs = matched([box], [known])
    return bool(pairs) and pairs[0].overlap >= SAME_PLACE


def _read(uri: str) -> bytes:
    parts = urlsplit(uri)
    try:
        if parts.scheme == "file":
            return Path(unquote(parts.path)).read_bytes()
        if parts.scheme not in ("http", "https"):
            raise BadProbes(f"{uri}: neither a file nor an http(s) address")
        with urlopen(uri, timeout=_PATIENCE) as answer:  # noqa: S310  # the scheme is checked above
            content: bytes = answer.read(_MOST_BYTES + 1)
    except OSError as problem:
        raise BadProbes(f"{uri}: {problem}") from problem
    if len(content) > _MOST_BYTES:
        raise BadProbes(f"{uri}: larger than {_MOST_BYTES >> 20} MiB")
    return content


def _check(uri: str, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BadProbes(f"{uri}: its SHA-256 is {found}, not {sha256}")
