"""Type for pictures: Pillow's own where it suffices, the system's for the rest."""

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias, cast

from PIL import ImageFont

# Fonts that come with Linux distributions, macOS and Windows, those with most scripts first.
_SYSTEM_FONTS = ("Arial Unicode.ttf", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf")

Spell: TypeAlias = Callable[[str], str]


def font_for(text: str, size: int) -> tuple[ImageFont.FreeTypeFont, Spell]:
    """A font of that size, in pixels, to write the text in, and how to spell it for that font."""
    if not text.isascii():
        for name in _SYSTEM_FONTS:
            with suppress(OSError):  # not on this machine
                return ImageFont.truetype(name, size), str
    # Given a size, this is a TrueType font that Pillow brings along; it has ASCII and no more.
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size)), in_ascii


def in_ascii(text: str) -> str:
    """The text without accents, and with question marks for what ASCII has nothing like."""
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    return bare.encode("ascii", "replace").decode("ascii")
