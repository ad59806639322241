"""An engine on an FPGA board as a backend, over the board's serial link."""

import threading
from contextlib import suppress

import numpy as np
from torch import Tensor

from golden.options import MatchOptions
from hw.config import PRESETS, EngineConfig
from hw.fpga.protocol import MEMORY_LATENCY
from software.library.backends import Progress
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.driver import (
    OFFSETS,
    acknowledge,
    has_ended,
    identify,
    read_counter,
    register_writes,
)
from software.library.backends.engine_job import EngineJob, prepare_job, read_match
from software.library.backends.link import BoardLink
from software.library.backends.presets import preset_config
from software.library.errors import LinkError

_RESULTS = ("DST", "HISTORY", "RECORDS")
"""The regions that are read back."""


class BoardBackend:
    """Matches on the engine of a board whose bitstream `orbis fpga` made.

    The port is opened for the first job and held until `close`. One job at a time.

    Args:
        port: names the serial port.
        baud: bits a second, as the bitstream was made for.
        scale_group: G, channels that share a scale.
        preset: the engine's sizes; by default those of whichever preset the board holds.
        progress: called now and then while a job runs.

    Raises:
        ValueError: no such preset, or a scale group that it cannot have.
    """

    def __init__(
        self,
        port: str,
        baud: int,
        *,
        scale_group: int = 1,
        preset: str | None = None,
        progress: Progress | None = None,
    ):
        self._port, self._baud, self._scale_group = port, baud, scale_group
        self._progress = progress
        self._wanted = None if preset is None else preset_config(preset, scale_group)
        self._board: tuple[BoardLink, EngineConfig] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the port. The next job opens it again."""
        board, self._board = self._board, None
        if board is not None:
            board[0].close()

    def prepare(self) -> None:
        """Open the port, and see whether the engine is the one that is wanted.

        Raises:
            SetupError: pyserial is not installed, or the port cannot be opened.
            LinkError: the board does not answer as it should, or holds no preset.
            SimulationError: the engine is another one.
        """
        with self._lock:
            self._opened()

    def match(
        self,
        tokens: Tensor,
        num_dst: int,
        reduce: int,
        options: MatchOptions = MatchOptions(),
    ) -> ClockedMatch:
        """See `software.library.backends.MatchingBackend.match`; raises as `prepare`."""
        with self._lock:
            try:
                link, config = self._opened()
                job = prepare_job(config, tokens, num_dst, reduce, options, packed=True)
                return self._run(link, job)
            except BaseException:
                # Whatever is under way on the line or in the engine: the next job begins anew.
                self.close()
                raise

    def _opened(self) -> tuple[BoardLink, EngineConfig]:
        """The link, and the sizes of the engine behind it."""
        if self._board is None:
            link = BoardLink(self._port, self._baud)
            try:
                link.reset()
                config = self._wanted or self._found(link)
                identify(link, config)
            except BaseException:
                link.close()
                raise
            self._board = link, config
        return self._board

    def _found(self, link: BoardLink) -> EngineConfig:
        """The config of the preset that the board holds."""
        found = link.read_register(OFFSETS["CONFIG_HASH"])
        for preset in PRESETS:
            with suppress(ValueError):  # it cannot have this scale group
                config = preset_config(preset, self._scale_group)
                if config.hash == found:
                    return config
        raise LinkError(
            f"the board on {self._port} has an engine of config {found:#010x}; no preset has that"
            f" with scale_group {self._scale_group}."
        )

    def _run(self, link: BoardLink, job: EngineJob) -> ClockedMatch:
        """Send a job, wait for its end, and fetch what it found."""
        layout = job.layout
        if layout.size > link.memory_bytes:
            raise LinkError(
                f"the job needs {layout.size} bytes of memory; the board on {self._port} has"
                f" {link.memory_bytes}."
            )
        memory = np.zeros(layout.size, np.uint8)
        job.load(memory)
        for name in ("TOKENS", *(() if job.first is None else ("DST",))):
            place = layout.places[name]
            content = memory[place.address : place.address + place.size]
            link.write_memory(place.address, content.tobytes())
        for offset, value in register_writes(layout, job.reduce, job.options):
            link.write_register(offset, value)
        limit = job.most_cycles(MEMORY_LATENCY)
        while not has_ended(link):
            spent = read_counter(link, "total")
            if spent > limit:
                raise LinkError(f"the engine has not finished after {spent} cycles.")
            if self._progress is not None:
                self._progress(spent, link.read_register(OFFSETS["PAIRINGS"]))
        acknowledge(link)
        for name in _RESULTS:
            place = layout.places[name]
            found = np.frombuffer(link.read_memory(place.address, place.size), np.uint8)
            memory[place.address : place.address + place.size] = found
        return read_match(link, job, memory)
