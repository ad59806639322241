"""The host's side of a board's serial link: registers and memory, one request after another."""

import os
import time
from importlib.util import find_spec

from hw.fpga.protocol import FLAG, MAX_DATA, VERSION, Operation, Status
from software.library.backends.frames import decode, encode
from software.library.errors import LinkError, SetupError
from software.library.extras import remedy
from software.library.files import reason

_FIRST_SECONDS, _FIRST_ATTEMPTS = 1.0, 5
"""How long the first reply may take beside its time on the line, and how often it is asked for."""
_REPLY_SECONDS, _ATTEMPTS = 10.0, 3
"""The same of a board that has answered: milliseconds, unless it is simulated on a busy machine."""
_BITS_PER_BYTE = 10
"""On the line: the start bit and the stop bit too."""


class BoardLink:
    """A board that is reached over a serial port, and has answered.

    A request whose reply does not come in time is sent again, with the same tag, so that a late
    reply is as good; except for writes of registers, of which one starts a job.

    Args:
        port: names the port.
        baud: bits a second, as the bitstream was made for.

    Raises:
        SetupError: pyserial is not installed, or the port cannot be opened.
        LinkError: the board does not answer, or speaks another version of the protocol.
    """

    def __init__(self, port: str, baud: int):
        if find_spec("serial") is None:
            raise SetupError(f"serial is not installed, but a port needs it: {remedy('fpga')}.")
        from serial import Serial, SerialException

        self._port = port
        try:
            self._serial = Serial(port, baud, timeout=0, exclusive=True)
        except (SerialException, ValueError) as error:
            raise SetupError(f"port {port} cannot be opened: {_cause(error)}.") from error
        self._byte_seconds = _BITS_PER_BYTE / baud
        self._tag = 0
        self._came = b""
        try:
            identity = self._ask(
                Operation.IDENTIFY, attempts=_FIRST_ATTEMPTS, patience=_FIRST_SECONDS
            )
            if identity[0] != VERSION:
                raise LinkError(
                    f"the board on {port} speaks version {identity[0]} of the link's protocol; it"
                    f" must be {VERSION}."
                )
        except BaseException:
            self.close()
            raise
        self.memory_bytes = int.from_bytes(identity[3:7], "little")
        """Of the engine's memory."""

    def close(self) -> None:
        """Let go of the port."""
        self._serial.close()

    def reset(self) -> None:
        """Reset the engine; memory keeps its content."""
        self._ask(Operation.RESET)

    def read_register(self, offset: int) -> int:
        """Read a 32-bit register of the engine."""
        answer = self._ask(Operation.READ_REGISTER, offset.to_bytes(4, "little"))
        return int.from_bytes(answer, "little")

    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register of the engine, once."""
        body = offset.to_bytes(4, "little") + value.to_bytes(4, "little")
        self._ask(Operation.WRITE_REGISTER, body, attempts=1)

    def read_memory(self, address: int, size: int) -> bytes:
        """Read bytes of the engine's memory."""
        parts = []
        for begin in range(address, address + size, MAX_DATA):
            count = min(MAX_DATA, address + size - begin)
            body = begin.to_bytes(4, "little") + count.to_bytes(2, "little")
            parts.append(self._ask(Operation.READ_MEMORY, body, replied=count))
        return b"".join(parts)

    def write_memory(self, address: int, content: bytes) -> None:
        """Write bytes of the engine's memory."""
        for begin in range(0, len(content), MAX_DATA):
            body = (address + begin).to_bytes(4, "little") + content[begin : begin + MAX_DATA]
            self._ask(Operation.WRITE_MEMORY, body)

    def _ask(
        self,
        operation: Operation,
        body: bytes = b"",
        *,
        replied: int = 0,
        attempts: int = _ATTEMPTS,
        patience: float = _REPLY_SECONDS,
    ) -> bytes:
        """The data of the reply, of ``replied`` bytes at most, to a request.

        Raises:
            LinkError: no reply came, or one that tells of an error.
        """
        self._tag = (self._tag + 1) % 256
        frame = encode(bytes((self._tag, operation)) + body)
        # Twice the bytes, where each is escaped.
        seconds = patience + 2 * (len(frame) + replied) * self._byte_seconds
        for _ in range(attempts):
            try:
                self._serial.write(frame)
                reply = self._reply(time.monotonic() + seconds)
            except OSError as error:
                raise LinkError(f"port {self._port} failed: {_cause(error)}.") from error
            if reply is not None:
                status, data = reply[1], reply[2:]
                if status != Status.OK:
                    known = Status(status).name if status in set(Status) else "unknown"
                    raise LinkError(
                        f"the board on {self._port} answered {operation.name} with status {status}"
                        f" ({known})."
                    )
                return data
        raise LinkError(
            f"the board on {self._port} does not answer {operation.name}; is its bitstream of"
            " `orbis fpga`, and the baud rate the same?"
        )

    def _reply(self, deadline: float) -> bytes | None:
        """The frame with the tag of the last request, if it comes in time."""
        while time.monotonic() < deadline:
            self._serial.timeout = max(0.0, deadline - time.monotonic())
            self._came += self._serial.read(max(1, self._serial.in_waiting))
            *frames, self._came = self._came.split(bytes((FLAG,)))
            for between in frames:
                content = decode(between)
                if content is not None and len(content) >= 2 and content[0] == self._tag:
                    return content
        return None


def _cause(error: Exception) -> str:
    """Why a port failed: pyserial's own words name the port again."""
    number = getattr(error, "errno", None)
    return reason(OSError(number, os.strerror(number))) if number else reason(error)
