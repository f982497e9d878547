"""Photos as a person sees them, which is the frame that boxes come back in."""

import io
import warnings
from pathlib import Path

from PIL import Image

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(photo: Path | bytes) -> Image.Image:
    """The first frame, upright, in RGB; raises OSError if it cannot be decoded."""
    with warnings.catch_warnings():
        # The server has already judged the photo's size and metadata.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(photo) if isinstance(photo, bytes) else photo) as opened:
                turn = _TURNS.get(_orientation(opened))
                image = _rgb(opened)
        except OSError:
            raise
        # Pillow's parsers raise whatever they stumble over, metadata included.
        except Exception as error:
            raise OSError(str(error)) from error
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow raises all kinds for broken metadata, which is none
        return 1
    return orientation if isinstance(orientation, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit samples instead of scaling them.
        image = image.convert("I").point(lambda sample: sample / 256).convert("L")
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image.convert("RGB")
