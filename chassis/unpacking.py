"""Requests are unpacked only if that costs little: their parts are counted first, in their bytes.

Unpacked, a message of many small parts takes thirty times its bytes, and nobody else is answered
meanwhile. The wire format is that of https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from chassis.errors import InvalidRequest, Violation

MOST_PARTS: Final = 20_000  # fields, with those of the messages within

_LITTLE_BYTES: Final = 64 << 10  # cannot hold as many as would matter
# Wire types.
_VARINT: Final = 0
_LENGTH: Final = 2
_FIXED_BYTES: Final[Mapping[int, int]] = {1: 8, 5: 4}
_LONGEST_VARINT: Final = 10  # bytes
_CONTINUED: Final = 0x80  # in each of its bytes but the last


def unpacking(unpack: Callable[[bytes], Message]) -> Callable[[bytes], Message | InvalidRequest]:
    """What unpacks like `unpack`, a message class's FromString, and returns why it does not.

    For what is raised there gRPC has no status.
    """
    of: Any = unpack
    kind: Descriptor = of.__self__.DESCRIPTOR

    def unpacked(data: bytes) -> Message | InvalidRequest:
        try:
            if len(data) > _LITTLE_BYTES and _parts(data, kind) > MOST_PARTS:
                return _refusal(f"has more than {MOST_PARTS:,} fields, with those within fields")
            return unpack(data)
        except IndexError:
            return _refusal(f"cannot be read as {kind.full_name}: it ends too early")
        except DecodeError as error:
            return _refusal(f"cannot be read as {kind.full_name}: {error}")

    return unpacked


def _refusal(description: str) -> InvalidRequest:
    return InvalidRequest(Violation("request", description))


def _parts(data: bytes, kind: Descriptor) -> int:
    """Fields of a message and of those within it, counted to one more than are allowed.

    Raises IndexError for what breaks off and DecodeError for other things that are no message; and
    for groups, which none of ours has: fields within are not those of the message around.
    """
    found, at = 0, 0
    around = [(len(data), kind)]
    while at < len(data) and found <= MOST_PARTS:
        while at >= around[-1][0]:
            around.pop()
        found += 1
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _LENGTH:
            length, at = _varint(data, at)
            if at + length > around[-1][0]:
                raise DecodeError(f"field {number} is longer than what it is in")
            if within := _messages(around[-1][1]).get(number):
                around.append((at + length, within))
            else:
                at += length
        elif wire_type == _VARINT:
            _, at = _varint(data, at)
        elif wire_type in _FIXED_BYTES:
            at += _FIXED_BYTES[wire_type]
        else:
            raise DecodeError(f"field {number} is a group")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = data[at]
    if value < _CONTINUED:
        return value, at + 1
    value &= _CONTINUED - 1
    for place in range(1, _LONGEST_VARINT):
        byte = data[at + place]
        value |= (byte & _CONTINUED - 1) << 7 * place
        if byte < _CONTINUED:
            return value, at + place + 1
    raise DecodeError("a number has no end")


@cache
def _messages(kind: Descriptor) -> Mapping[int, Descriptor]:
    """Those of its fields that are messages, by number."""
    return {field.number: field.message_type for field in kind.fields if field.message_type}
