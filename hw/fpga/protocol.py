"""The host link's protocol, as docs/fpga.md says it: what hardware and driver have in common."""

from enum import IntEnum

VERSION = 1
"""What IDENTIFY answers first; raised whenever an older host would not be understood."""

BAUD = 1_000_000
"""Bits a second on the line, where nobody chooses another number."""

MEMORY_LATENCY = 4
"""Cycles from the engine's address to the first beat that the board's memory answers with."""

FLAG = 0x7E
"""Before and behind each frame (HDLC, asynchronous framing of ISO/IEC 13239)."""
ESCAPE = 0x7D
"""Before a byte of a frame that is `FLAG` or `ESCAPE`, which is then sent XOR `FLIP`."""
FLIP = 0x20

FCS_BYTES = 2
"""Frame check sequence: CRC-16/X-25 over all before it, lower byte first."""
SHORTEST_FRAME = 2 + FCS_BYTES
"""Bytes of a request without arguments, its FCS included."""
DATA_OFFSET = 6
"""Where the data of a write begins: tag, operation, address (4)."""
MAX_DATA = 1024
"""Most bytes of memory that one request reads or writes."""
LONGEST_FRAME = DATA_OFFSET + MAX_DATA + FCS_BYTES
"""Bytes of the longest request, its FCS included."""


class Operation(IntEnum):
    """What a request asks for: its second byte."""

    IDENTIFY = 0
    RESET = 1
    READ_REGISTER = 2
    WRITE_REGISTER = 3
    READ_MEMORY = 4
    WRITE_MEMORY = 5


class Status(IntEnum):
    """What became of a request: the second byte of its reply."""

    OK = 0
    BAD_OPERATION = 1
    BAD_LENGTH = 2
    BAD_ADDRESS = 3
    REFUSED = 4
    NO_REGISTER = 5
