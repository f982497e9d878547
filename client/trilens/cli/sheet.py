"""Draws an explained answer: a map for each label of a face, and for each word of a caption."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from PIL import Image

from trilens.cli import heat, upright
from trilens.cli.reasons import Explained, cover, explained, look
from trilens.cli.report import percent
from trilens.cli.tiles import FAINT, REMARK, Line, Section, Tile, sheet
from trilens.errors import explain
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import explanation_pb2

_FACE: Final = 225  # longer side of a face's tile, in pixels: four in a row
_PHOTO: Final = 177  # of a word's: five in a row


def draw(photo: Path | bytes, response: pb.AnalyzeImageResponse) -> Image.Image:
    """A sheet with every map of the answer, each over the part of the photo that it covers.

    Raises OSError if the photo cannot be decoded here.
    """
    image = upright.read(photo)
    return sheet([section for one in explained(response) for section in _sections(image, one)])


def _sections(photo: Image.Image, one: Explained) -> Iterator[Section]:
    if one.outcome.WhichOneof("result") == "classification":
        yield from _faces(photo, one)
    else:
        yield _words(photo, one)
    if one.explanation.status.code:
        why = explain(one.explanation.status).said
        yield Section((Line(f"{one.feature}: not all is explained: {why}", REMARK),))


def _faces(photo: Image.Image, one: Explained) -> Iterator[Section]:
    faces = groupby(one.explanation.heatmaps, key=lambda heatmap: heatmap.face)
    for number, heatmaps in faces:
        maps = tuple(heatmaps)
        plain = _fitted(heat.part(photo, maps[0]), _FACE)
        tiles = (Tile(plain, ()), *(_label(plain, one, heatmap) for heatmap in maps))
        yield Section((Line(f"{one.feature}: face {number + 1}"),), tiles)
    if one.explanation.heatmaps:
        yield Section((Line("orange: speaks for the label    blue: speaks against it", FAINT),))


def _label(face: Image.Image, one: Explained, heatmap: explanation_pb2.Heatmap) -> Tile:
    found = cover(one.outcome.classification, heatmap)
    lines = (
        Line(f"{heatmap.label} {percent(found.score)}"),
        Line(f"{percent(found.covered)} with one place covered", FAINT),
    )
    return Tile(heat.of_label(face, heatmap), lines)


def _words(photo: Image.Image, one: Explained) -> Section:
    plain = _fitted(photo, _PHOTO)
    tiles = [Tile(plain, ())]
    for heatmap in one.explanation.heatmaps:
        found = look(heatmap)
        lines = (Line(heatmap.word), Line(f"{found.share / found.even:.1f} x even", FAINT))
        tiles.append(Tile(heat.of_word(plain, heatmap), lines))
    said = (
        Line(f"{one.feature}: {one.outcome.caption.text}"),
        Line("orange: where it looked as it chose the word, and how much more than evenly", FAINT),
    )
    return Section(said, tuple(tiles))


def _fitted(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
