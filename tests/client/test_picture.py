"""Answers are drawn where things are, legibly, in photos of every kind."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.client.fakes import found, full_answer, partial_answer
from trilens.cli import fonts
from trilens.cli.colours import on, palette
from trilens.cli.picture import draw
from trilens.v1 import decision_pb2, detector_pb2

PHOTOS = Path(__file__).parents[1] / "photos"
GREY = (128, 128, 128)


def encoded(image: Image.Image, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def objects_only(*objects: detector_pb2.DetectedObject, caption: str = ""):
    answer = full_answer()
    answer.outcomes["attributes"].classification.Clear()
    answer.outcomes["captions"].caption.text = caption
    answer.outcomes["objects"].detection.CopyFrom(detector_pb2.Detection(objects=objects))
    return answer


def near(pixel, colour) -> bool:
    return all(abs(a - b) <= 40 for a, b in zip(pixel, colour, strict=True))


def test_a_box_is_drawn_on_the_edges_it_names_and_nowhere_within():
    colour = palette(["cat"])["cat"]

    picture = draw(
        encoded(Image.new("RGB", (1000, 800), GREY)),
        objects_only(found("cat", 0.9, 0.2, 0.25, 0.7, 0.75)),
    )

    assert picture.width == 1000
    for edge in ((201, 400), (699, 400), (450, 201), (450, 599)):
        assert near(picture.getpixel(edge), colour), edge
    for elsewhere in ((450, 400), (100, 400), (800, 400), (450, 700)):
        assert picture.getpixel(elsewhere) == GREY


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_drawn_in_the_photo_as_a_person_sees_it(orientation):
    upright = Image.new("RGB", (800, 640), GREY)
    upright.paste((250, 250, 0), (0, 0, 400, 320))  # a mark: top left as a person sees it
    stored = stored_with(upright, orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation

    picture = draw(
        encoded(stored, "JPEG", exif=exif, quality=95),
        objects_only(found("cat", 0.9, 0.6, 0.6, 0.9, 0.9)),
    )

    assert picture.width == 800
    assert near(picture.getpixel((200, 100)), (250, 250, 0))
    assert near(picture.getpixel((600, 500)), GREY)
    assert near(picture.getpixel((481, 500)), palette(["cat"])["cat"])


def stored_with(upright: Image.Image, orientation: int) -> Image.Image:
    """The photo as a camera stores it that writes this orientation."""
    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    return upright.transpose(turns[orientation]) if orientation in turns else upright


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (3, 900), (900, 3), (4000, 3000)])
def test_pictures_of_any_size_have_room_for_readable_text(size):
    answer = objects_only(found("cat", 0.9, 0.1, 0.1, 0.9, 0.9), caption="a cat on a sofa " * 8)

    picture = draw(encoded(Image.new("RGB", size, GREY)), answer)

    assert picture.width >= min(480, size[0])
    assert picture.width >= 480
    assert picture.height > size[1]


def test_the_caption_and_what_is_missing_stand_below_the_photo():
    photo = encoded(Image.new("RGB", (800, 600), GREY))

    with_both = draw(photo, partial_answer())
    bare = objects_only()

    assert with_both.height > 600
    assert draw(photo, bare).size == (800, 600)
    assert any(
        with_both.getpixel((x, y)) == (255, 200, 80)  # the remark's colour
        for y in range(600, with_both.height)
        for x in range(200)
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGBA", (700, 700), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("L", (700, 700), 90), (90, 90, 90)),
        (Image.new("I;16", (700, 700), 90 * 256), (90, 90, 90)),
        (Image.new("1", (700, 700), 1), (255, 255, 255)),
        (Image.new("P", (700, 700), 0), (0, 0, 0)),
    ],
    ids=["transparent", "grey", "16-bit", "bilevel", "palette"],
)
def test_photos_of_every_kind_look_as_the_server_saw_them(image, expected):
    assert near(draw(encoded(image), objects_only()).getpixel((350, 350)), expected)


def test_what_is_no_photo_here_is_an_oserror():
    with pytest.raises(OSError, match="identify"):
        draw(b"not a photo", full_answer())


def test_real_photos_are_drawn_whole():
    for photo in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(photo) as original:
            aspect = original.width / original.height
        picture = draw(photo, objects_only())
        assert picture.width / picture.height == pytest.approx(aspect, rel=0.01)


def test_kinds_have_colours_of_their_own_and_keep_them():
    kinds = ["face", "person", "dog", "car", "tie", "cup", "chair", "book", "cat"]

    colours = palette(kinds)

    assert len(set(colours.values())) == len(kinds)
    assert palette(["person"])["person"] == colours["person"]
    assert len(palette(map(str, range(50)))) == 50


@pytest.mark.parametrize("kind", ["face", *map(str, range(40))])
def test_text_stands_out_from_its_label(kind):
    background = palette([kind])[kind]
    lighter, darker = sorted((luminance(background), luminance(on(background))), reverse=True)

    assert (lighter + 0.05) / (darker + 0.05) >= 3  # WCAG's bound for large text


def luminance(colour) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_without_a_font_for_it_text_is_spelled_in_ascii(monkeypatch):
    monkeypatch.setattr(fonts, "_SYSTEM_FONTS", ("no such font.ttf",))

    font, spell = fonts.font_for("größer, naïve", 20)

    assert spell("größer, naïve") == "gro?er, naive"
    assert font.size == 20


def test_what_is_uncertain_is_drawn_with_a_question_mark(monkeypatch):
    sure, doubtful = (found(label, 0.9, 0.1, 0.1, 0.9, 0.9) for label in ("cat", "dog"))
    doubtful.decision = decision_pb2.DECISION_UNCERTAIN
    written = []
    draw_text = ImageDraw.ImageDraw.multiline_text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "multiline_text",
        lambda canvas, corner, text, *rest, **options: (
            written.append(text) or draw_text(canvas, corner, text, *rest, **options)
        ),
    )

    draw(encoded(Image.new("RGB", (1000, 800), GREY)), objects_only(sure, doubtful))

    assert {"cat 90 %", "dog? 90 %"} <= set(written)
