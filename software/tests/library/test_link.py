"""The host's side of the link, against a board in Python behind a pseudo terminal."""

import os
import pty
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from hw.bus.registers import ID, VERSION, offsets
from hw.config import PRESETS
from hw.fpga.protocol import BAUD, FLAG, Operation, Status
from software.library.backends import link as link_module
from software.library.backends import make_backend
from software.library.backends.board import BoardBackend
from software.library.backends.frames import decode, encode
from software.library.backends.link import BoardLink
from software.library.errors import LinkError, SetupError, SimulationError

IDENTITY = b"\x01\x00\x04" + (5000).to_bytes(4, "little")
Answer = Callable[[int, int, bytes], bytes]
"""The bytes that a board sends for a request: tag, operation, arguments."""


class Board:
    """Memory and registers; ``line`` may spoil what goes over the line to the host."""

    def __init__(self) -> None:
        self.memory = bytearray(5000)
        self.registers: dict[int, int] = {}
        self.asked: list[int] = []
        self.line: Callable[[bytes], bytes] = lambda frame: frame

    def answer(self, tag: int, operation: int, arguments: bytes) -> bytes:
        """What is sent for a request."""
        self.asked.append(operation)
        place = int.from_bytes(arguments[:4], "little")
        data = b""
        match operation:
            case Operation.IDENTIFY:
                data = IDENTITY
            case Operation.READ_REGISTER:
                data = self.registers.get(place, 0).to_bytes(4, "little")
            case Operation.WRITE_REGISTER:
                self.registers[place] = int.from_bytes(arguments[4:], "little")
            case Operation.READ_MEMORY:
                count = int.from_bytes(arguments[4:], "little")
                assert 1 <= count <= 1024
                data = bytes(self.memory[place : place + count])
            case Operation.WRITE_MEMORY:
                assert 1 <= len(arguments) - 4 <= 1024
                self.memory[place : place + len(arguments) - 4] = arguments[4:]
        return self.line(encode(bytes((tag, Status.OK)) + data))


@contextmanager
def behind_a_port(answer: Answer) -> Iterator[str]:
    """The name of a port, behind which requests are answered."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ended = threading.Event()

    def serve() -> None:
        came = b""
        while not ended.is_set():
            try:
                came += os.read(ours, 4096)
            except OSError:  # nobody has the port open
                return
            *frames, came = came.split(bytes((FLAG,)))
            for content in map(decode, frames):
                if content:
                    os.write(ours, answer(content[0], content[1], content[2:]))

    served = threading.Thread(target=serve, daemon=True)
    served.start()
    try:
        yield os.ttyname(theirs)
    finally:
        ended.set()
        os.write(theirs, b"\n")  # the thread waits for a byte
        served.join()
        os.close(theirs)
        os.close(ours)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_FIRST_SECONDS", 0.3)
    ask = BoardLink._ask
    monkeypatch.setattr(
        BoardLink, "_ask", lambda *words, **named: ask(*words, **{"patience": 0.3, **named})
    )


def test_memory_and_registers_are_those_of_the_board() -> None:
    board = Board()
    with behind_a_port(board.answer) as port:
        link = BoardLink(port, BAUD)
        assert link.memory_bytes == 5000
        content = bytes(range(256)) * 10
        link.write_memory(123, content)
        assert board.memory[123 : 123 + len(content)] == content
        assert sum(board.memory[:123]) + sum(board.memory[123 + len(content) :]) == 0
        assert link.read_memory(120, 2100) == board.memory[120:2220]
        link.write_register(8, 0xFEDC_BA98)
        assert link.read_register(8) == 0xFEDC_BA98
        link.reset()
        assert board.asked[-1] == Operation.RESET
        link.close()


def test_what_the_line_spoils_is_asked_again() -> None:
    """A reply that is lost, broken, late, or among garbage."""
    board = Board()
    board.memory[:] = os.urandom(5000)
    for spoiled in (
        lambda frame: b"",
        lambda frame: frame[:-3],
        lambda frame: bytes((frame[0], frame[1] ^ 1)) + frame[2:],
        lambda frame: encode(b"\x00\x00late") + b"\x7e\x55\xaa\x7e",
    ):
        spoils = iter([spoiled, spoiled])
        with behind_a_port(board.answer) as port:
            link = BoardLink(port, BAUD)
            board.line = lambda frame: next(spoils, lambda frame: frame)(frame)  # noqa: B023
            assert link.read_memory(7, 900) == board.memory[7:907]
            link.close()


def test_a_write_of_a_register_is_sent_once() -> None:
    board = Board()
    with behind_a_port(board.answer) as port:
        link = BoardLink(port, BAUD)
        board.line = lambda frame: b""
        with pytest.raises(LinkError, match="does not answer WRITE_REGISTER"):
            link.write_register(16, 1)
        assert board.asked.count(Operation.WRITE_REGISTER) == 1
        link.close()


def test_an_error_is_told_by_its_name() -> None:
    def refuses(tag: int, operation: int, arguments: bytes) -> bytes:
        fine = operation == Operation.IDENTIFY
        return encode(bytes((tag, Status.OK)) + IDENTITY if fine else bytes((tag, arguments[0])))

    with behind_a_port(refuses) as port:
        link = BoardLink(port, BAUD)
        for status, name in ((Status.REFUSED, "REFUSED"), (77, "unknown")):
            rule = rf"answered READ_REGISTER with status {int(status)} \({name}\)"
            with pytest.raises(LinkError, match=rule):
                link.read_register(status)
        link.close()


def test_a_port_that_is_none_or_taken_is_refused() -> None:
    with pytest.raises(SetupError, match=r"^port /no/such cannot be opened: no such file or dir"):
        BoardLink("/no/such", BAUD)
    with behind_a_port(Board().answer) as port:
        link = BoardLink(port, BAUD)
        with pytest.raises(SetupError, match=f"^port {port} cannot be opened: "):
            BoardLink(port, BAUD)
        link.close()


def test_a_board_that_does_not_answer_or_is_another_is_refused() -> None:
    with (
        behind_a_port(lambda *_: b"noise\x7e\x7e") as port,
        pytest.raises(LinkError, match=f"the board on {port} does not answer IDENTIFY; is its"),
    ):
        BoardLink(port, BAUD)
    newer = b"\x02" + IDENTITY[1:]
    with (
        behind_a_port(lambda tag, *_: encode(bytes((tag, Status.OK)) + newer)) as port,
        pytest.raises(LinkError, match="speaks version 2 of the link's protocol; it must be 1"),
    ):
        BoardLink(port, BAUD)


def test_an_engine_that_is_none_of_the_presets_or_too_small_is_refused() -> None:
    board = Board()
    tokens = torch.zeros(4, 2)
    board.registers = {
        offsets()["ID"]: ID, offsets()["VERSION"]: VERSION, offsets()["CONFIG_HASH"]: 0x123,
    }  # fmt: skip
    with behind_a_port(board.answer) as port:
        rule = f"the board on {port} has an engine of config 0x00000123; no preset has that with"
        with pytest.raises(LinkError, match=rule):
            make_backend(f"fpga:{port}").match(tokens, 1, 1)
        board.registers[offsets()["CONFIG_HASH"]] = PRESETS["tiny"].hash
        engine = make_backend(f"fpga:{port}")
        rule = f"the job needs 5712 bytes of memory; the board on {port} has 5000"
        with pytest.raises(LinkError, match=rule):
            engine.match(torch.randn(25, 60, generator=torch.Generator().manual_seed(1)), 1, 1)
        board.registers[offsets()["CONFIG_HASH"]] = 0x123
        wanted = f"CONFIG_HASH reads 0x00000123; it must be {PRESETS['tiny'].hash:#010x}"
        with pytest.raises(SimulationError, match=wanted):
            make_backend(f"fpga:{port}@500000", preset="tiny").match(tokens, 1, 1)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("fpga", "backend is fpga; it must be golden, rtl or fpga:PORT"),
        ("fpga:", "backend is fpga:; it must be"),
        ("rtl:x", "backend is rtl:x; it must be"),
        ("fpga:/dev/x@fast", "the baud rate of fpga:/dev/x@fast is fast; give a number"),
        ("fpga:/dev/x@", "the baud rate of fpga:/dev/x@ is missing"),
        ("fpga:@9600", "the baud rate of fpga:@9600 is 9600"),
    ],
)
def test_names_of_backends_that_are_none_are_refused(name: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        make_backend(name)


def test_floats_are_refused_before_the_port_is_opened() -> None:
    assert isinstance(make_backend("fpga:/no/such"), BoardBackend)
    with pytest.raises(ValueError, match="the fpga backend matches 4-bit tokens only"):
        make_backend("fpga:/no/such", bits=None)
