"""Frames of the serial link: the standard's bytes, and nothing taken that is none."""

import random

import pytest

from hw.fpga.protocol import ESCAPE, FLAG
from software.library.backends.frames import decode, encode


def between(frame: bytes) -> bytes:
    """What lies between the flags of a frame."""
    assert frame[0] == frame[-1] == FLAG
    assert FLAG not in frame[1:-1]
    return frame[1:-1]


def test_the_check_sequence_is_the_catalogued_one() -> None:
    assert between(encode(b"123456789")) == b"123456789\x6e\x90"


def test_flags_and_escapes_are_escaped() -> None:
    assert between(encode(bytes((FLAG, ESCAPE, 0x5E)))).startswith(b"\x7d\x5e\x7d\x5d\x5e")


def test_what_is_encoded_is_decoded() -> None:
    rng = random.Random(1)
    for size in (0, 1, 2, *(rng.randrange(3, 200) for _ in range(50))):
        content = bytes(rng.choice((FLAG, ESCAPE, rng.randrange(256))) for _ in range(size))
        assert decode(between(encode(content))) == content


def test_a_frame_with_a_wrong_bit_or_cut_off_is_none() -> None:
    frame = between(encode(b"content"))
    for bit in range(8 * len(frame)):
        wrong = bytearray(frame)
        wrong[bit // 8] ^= 1 << bit % 8
        assert decode(bytes(wrong)) is None
    for size in range(len(frame)):
        assert decode(frame[:size]) is None


@pytest.mark.parametrize("line", [b"", b"\x7d", b"x", b"content\x7d"])
def test_what_is_no_frame_is_none(line: bytes) -> None:
    assert decode(line) is None
