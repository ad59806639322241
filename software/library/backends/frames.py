"""Frames of the board's serial link, as docs/fpga.md says them: flags, escapes, check sequence."""

import binascii

from hw.fpga.protocol import ESCAPE, FCS_BYTES, FLAG, FLIP

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Of each byte, its bits from the other end."""
_ESCAPES = {FLAG: bytes((ESCAPE, FLAG ^ FLIP)), ESCAPE: bytes((ESCAPE, ESCAPE ^ FLIP))}


def _check_sequence(content: bytes) -> bytes:
    """CRC-16/X-25, lower byte first: the CRC of Python's library, from the lowest bit of a byte."""
    crc = binascii.crc_hqx(content.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF
    return crc.to_bytes(FCS_BYTES, "big").translate(_MIRRORED)


def encode(content: bytes) -> bytes:
    """A frame as it goes over the line, its two flags included."""
    plain = content + _check_sequence(content)
    escaped = b"".join(_ESCAPES.get(byte, bytes((byte,))) for byte in plain)
    return bytes((FLAG,)) + escaped + bytes((FLAG,))


def decode(between: bytes) -> bytes | None:
    """The content of what came between two flags; None if that is no whole frame."""
    plain, escaped = bytearray(), False
    for byte in between:
        if byte == ESCAPE:
            escaped = True
        else:
            plain.append(byte ^ FLIP if escaped else byte)
            escaped = False
    content, check = bytes(plain[:-FCS_BYTES]), bytes(plain[-FCS_BYTES:])
    return content if not escaped and check == _check_sequence(content) else None
