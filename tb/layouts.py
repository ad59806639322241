"""Values of Amaranth's layouts as the words that ports and memory hold, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data


def encode(shape: ShapeLike, value: Any) -> int:
    """``value`` as one unsigned word.

    A layout takes a mapping or a sequence of its fields' values, all of them; any other shape a
    number that fits it.
    """
    if not isinstance(shape, data.Layout):
        width = Shape.cast(shape).width
        assert 0 <= int(value) < 1 << width, f"{value} does not fit {width} bits"
        return int(value)
    fields = dict(shape)
    given = value if isinstance(value, Mapping) else dict(enumerate(value))
    assert given.keys() == fields.keys(), f"{sorted(given)} for the fields {sorted(fields)}"
    return sum(encode(fields[key].shape, given[key]) << fields[key].offset for key in fields)


def decode(shape: ShapeLike, word: int) -> Any:
    """The value that `encode` made a word of: a dict, a list or a number."""
    if not isinstance(shape, data.Layout):
        return word & ((1 << Shape.cast(shape).width) - 1)
    values = {key: decode(field.shape, word >> field.offset) for key, field in shape}
    return list(values.values()) if isinstance(shape, data.ArrayLayout) else values


def encode_words(shape: ShapeLike, values: Sequence[Any]) -> int:
    """Values one after another, the first in the lowest bits."""
    return encode(data.ArrayLayout(shape, len(values)), values)


def decode_words(shape: ShapeLike, word: int, count: int) -> list[Any]:
    """The ``count`` values that `encode_words` joined."""
    values: list[Any] = decode(data.ArrayLayout(shape, count), word)
    return values


def to_bytes(shape: ShapeLike, values: Sequence[Any]) -> bytes:
    """Values one after another as memory holds them: little-endian, in whole bytes."""
    bits = Shape.cast(shape).width * len(values)
    return encode_words(shape, values).to_bytes((bits + 7) // 8, "little")


def from_bytes(shape: ShapeLike, content: bytes) -> list[Any]:
    """All values that such bytes hold."""
    count = 8 * len(content) // Shape.cast(shape).width
    return decode_words(shape, int.from_bytes(content, "little"), count)
