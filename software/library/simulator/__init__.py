"""The engine's Verilog as a native simulation, with its memory, for the RTL backend."""

import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from software.library.errors import SimulationError

_INTERRUPT, _FAULT = 1, 2
_CHANNELS = ("ar", "r", "aw", "w", "b")


class Simulator:
    """One design in simulation, with its memory.

    Ports of the design: ``clk``, ``rst``, ``axi`` (AXI4 master), ``control`` (AXI4-Lite slave),
    ``irq``. It starts reset. Calls release Python's lock, so simulators run side by side
    in threads; one object is for one thread at a time.

    Args:
        library: what `software.library.simulator.build.build_library` returned.
        memory_bytes: size of the memory from address 0; accesses beyond it are answered DECERR.
        latency: cycles from a request to its first beat, and from the last beat of a write to
            its response.
        stall: probability that a memory channel holds back in a cycle; above 0, beats of
            different read ids also interleave.
        seed: of the stalls, and of the memory's first content.
        waves: file for waveforms (VCD); for a library built with waves, and then needed.

    Raises:
        MemoryError: the memory cannot be had.
    """

    def __init__(
        self,
        library: Path,
        memory_bytes: int,
        *,
        latency: int = 100,
        stall: float = 0.0,
        seed: int = 0,
        waves: Path | None = None,
    ):
        self._library = _load(library)
        path = None if waves is None else str(waves).encode()
        self._handle = self._library.orbis_create(memory_bytes, latency, stall, seed, path)
        if not self._handle:
            raise MemoryError(f"the simulated memory needs {memory_bytes} bytes.")
        pointer = self._library.orbis_memory(self._handle)
        self.memory: np.ndarray[Any, np.dtype[np.uint8]] = np.ctypeslib.as_array(
            pointer, shape=(memory_bytes,)
        )
        """The memory's bytes, shared with the simulation. Invalid after `close`."""

    def close(self) -> None:
        """End the simulation and free its memory; a second call does nothing."""
        handle, self._handle = self._handle, None  # first: an interrupt must not lead to two ends
        if handle:
            del self.memory
            self._library.orbis_destroy(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    @property
    def cycles(self) -> int:
        """Clock cycles since the simulator was made."""
        return int(self._library.orbis_cycles(self._handle))

    @property
    def beats(self) -> tuple[int, int]:
        """Beats read from and written to memory since the simulator was made."""
        read = self._library.orbis_beats_read(self._handle)
        return int(read), int(self._library.orbis_beats_written(self._handle))

    def reset(self, cycles: int = 2) -> None:
        """Hold the reset for some cycles; memory keeps its content and drops what is under way."""
        self._library.orbis_reset(self._handle, cycles)

    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register over AXI4-Lite.

        Raises:
            SimulationError: no response, or one that is an error.
        """
        self._check(self._library.orbis_write_register(self._handle, offset, value), offset)

    def read_register(self, offset: int) -> int:
        """Read a 32-bit register over AXI4-Lite; raises as `write_register`."""
        value = ctypes.c_uint32()
        code = self._library.orbis_read_register(self._handle, offset, ctypes.byref(value))
        self._check(code, offset)
        return value.value

    def run(self, cycles: int) -> bool:
        """Run until the interrupt, at most so many cycles; returns whether it came.

        Raises:
            SimulationError: the design broke the AXI4 protocol.
        """
        status = self._library.orbis_run(self._handle, cycles)
        if status == _FAULT:
            fault = self._library.orbis_fault(self._handle).decode()
            raise SimulationError(f"the design broke the AXI4 protocol: {fault}.")
        return bool(status == _INTERRUPT)

    def misbehave(self, channel: str, number: int, *, silent: bool = False) -> None:
        """Let memory go wrong at a transfer on one of its channels.

        Args:
            channel: ``ar``, ``r``, ``aw``, ``w`` or ``b``.
            number: the transfer's, counted on that channel from now on, from 0.
            silent: from there on no more transfers on that channel; else that one, or the burst
                that it is of, is answered with SLVERR, and what it writes is lost.
        """
        place = _CHANNELS.index(channel)
        self._library.orbis_misbehave(self._handle, place, silent, number)

    def behave(self) -> None:
        """Let memory do again what it should, from where it stands."""
        self._library.orbis_misbehave(self._handle, len(_CHANNELS), False, 0)

    def save(self, path: Path) -> None:
        """Write the whole simulation, its memory with it, to a file.

        Raises:
            OSError: it cannot be written.
        """
        if code := self._library.orbis_save(self._handle, str(path).encode()):
            raise OSError(code, os.strerror(code), str(path))

    def restore(self, path: Path) -> None:
        """Go on from where a simulation of the same library and memory was saved.

        Raises:
            OSError: the file cannot be read.
        """
        if code := self._library.orbis_restore(self._handle, str(path).encode()):
            raise OSError(code, os.strerror(code), str(path))

    def _check(self, code: int, offset: int) -> None:
        if code:
            what = "gave no response" if code < 0 else f"answered with response {code}"
            raise SimulationError(f"register {offset:#05x} {what}.")


def _load(path: Path) -> ctypes.CDLL:
    """The library with the types of its functions declared."""
    library = ctypes.CDLL(str(path))
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "orbis_create": (handle, [u64, u32, ctypes.c_double, u64, ctypes.c_char_p]),
        "orbis_destroy": (None, [handle]),
        "orbis_memory": (ctypes.POINTER(ctypes.c_uint8), [handle]),
        "orbis_reset": (None, [handle, u32]),
        "orbis_run": (ctypes.c_int, [handle, u64]),
        "orbis_write_register": (ctypes.c_int, [handle, u32, u32]),
        "orbis_read_register": (ctypes.c_int, [handle, u32, ctypes.POINTER(u32)]),
        "orbis_misbehave": (None, [handle, u32, ctypes.c_bool, u64]),
        "orbis_save": (ctypes.c_int, [handle, ctypes.c_char_p]),
        "orbis_restore": (ctypes.c_int, [handle, ctypes.c_char_p]),
        "orbis_cycles": (u64, [handle]),
        "orbis_beats_read": (u64, [handle]),
        "orbis_beats_written": (u64, [handle]),
        "orbis_fault": (ctypes.c_char_p, [handle]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
