"""The version of the system, as servers and spans report it."""

from typing import Final

VERSION: Final = "0.1.0"
