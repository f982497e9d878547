"""Memory: what one photo was in is kept for the next, instead of given back in between."""

import ctypes
from typing import Final

# Of glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3

# Pixels and messages of a photo lie below the first, and those of some photos below the second.
_MAPPED_FROM: Final = 4 << 20  # bytes; anything smaller comes from the heap
_KEPT: Final = 32 << 20  # bytes of each heap that may lie idle


def keep_memory() -> None:
    """Has this process's heap keep some megabytes.

    Left alone, glibc gives a photo's every copy back to the system and asks for it anew: on a
    virtual machine, clearing those pages took two fifths of the gateway's CPU time. Elsewhere than
    with glibc it does nothing.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _MAPPED_FROM)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
