"""Frames as a host sends and takes them, bit by bit: what hw/fpga is held against."""

import random
from collections.abc import Iterable

FLAG, ESCAPE = 0x7E, 0x7D


def check_sequence(content: bytes) -> bytes:
    """CRC-16/X-25: polynomial 0x1021 from the lowest bit up, from all ones, inverted."""
    crc = 0xFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2, "little")


assert check_sequence(b"123456789") == (0x906E).to_bytes(2, "little")  # the catalogued check value


def escape(plain: bytes) -> bytes:
    """The bytes between two flags."""
    sent = bytearray()
    for byte in plain:
        sent += bytes((ESCAPE, byte ^ 0x20)) if byte in (FLAG, ESCAPE) else bytes((byte,))
    return bytes(sent)


def frame(content: bytes) -> bytes:
    """A frame on the line."""
    return bytes((FLAG,)) + escape(content + check_sequence(content)) + bytes((FLAG,))


def contents(line: Iterable[int]) -> list[bytes]:
    """The frames that a board sent, one after the other and nothing else; fails at a wrong one."""
    frames, inside = [], False
    plain, escaped = bytearray(), False
    for byte in line:
        if byte == FLAG:
            if inside:
                content = bytes(plain[:-2])
                assert not escaped
                assert check_sequence(content) == plain[-2:], f"wrong frame {plain.hex()}"
                frames.append(content)
            inside = not inside
            plain.clear()
        else:
            assert inside, f"{byte:#x} between two frames"
            if byte == ESCAPE:
                escaped = True
            else:
                plain.append(byte ^ 0x20 if escaped else byte)
                escaped = False
    return frames


def random_content(rng: random.Random, size: int) -> bytes:
    """Bytes of which half are flags or escapes."""
    return bytes(rng.choice((FLAG, ESCAPE, rng.randrange(256))) for _ in range(size))
