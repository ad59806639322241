"""The simulated engine as a backend: what a driver of the real one would do, over its registers."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from golden.options import MatchOptions
from hw.config import EngineConfig
from software.library.backends import Progress
from software.library.backends.checkpoint import Checkpoint
from software.library.backends.clocked_match import SimulatedMatch
from software.library.backends.driver import (
    OFFSETS,
    WATCHDOG,
    acknowledge,
    identify,
    register_writes,
)
from software.library.backends.engine_job import EngineJob, prepare_job, read_match
from software.library.backends.presets import preset_config
from software.library.errors import SimulationError
from software.library.extras import require
from software.library.simulator import Simulator
from software.library.simulator.engine import engine_library, waves_wanted

_SLICE = 200_000
"""Cycles between two reports of progress."""


class RtlBackend:
    """Matches on the RTL of one engine, simulated natively with its memory.

    The engine stays in simulation between jobs, as a real one would stay under power; after one
    that broke off the next starts a new simulation. One job at a time: threads that want two need
    two backends. With WAVES=1 in the environment each simulation leaves orbis_<n>.vcd in
    build/waves.

    Args:
        config: the engine's sizes.
        label: what it is called while it is compiled.
        latency: cycles that the memory takes to answer.
        stall: probability that a memory channel holds back in a cycle.
        seed: of the stalls.
        every_pair: whether the engine computes every pair of every pairing, and keeps no distance
            from the pairing before. The matches are the same.
        checkpoints: folder for the state of the job under way, kept every few minutes, from which
            the same job of a later process goes on. Each job starts a simulation of its own then.
        progress: called now and then while a job runs.

    Raises:
        SetupError: the extra ``rtl`` is not installed.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        label: str = "an engine",
        latency: int = 100,
        stall: float = 0.0,
        seed: int = 0,
        every_pair: bool = False,
        checkpoints: Path | None = None,
        progress: Progress | None = None,
    ):
        require("rtl")
        self.config = config
        self._label = label
        self._latency, self._stall, self._seed = latency, stall, seed
        self._every_pair, self._checkpoints = every_pair, checkpoints
        self._progress = progress
        self.simulator: Simulator | None = None
        """The simulation, from the first job on."""
        self._lock = threading.Lock()

    @classmethod
    def of_preset(
        cls, preset: str, scale_group: int | None = None, *, progress: Progress | None = None
    ) -> "RtlBackend":
        """The engine of a preset.

        Raises:
            ValueError: no such preset, or a scale group that it cannot have.
        """
        config = preset_config(preset, scale_group)
        return cls(config, label=f"preset {preset}", progress=progress)

    def close(self) -> None:
        """End the simulation and free its memory. The next job starts a new one."""
        simulator, self.simulator = self.simulator, None
        if simulator is not None:
            simulator.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy starts a simulation of its own."""
        return {**vars(self), "simulator": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See `__getstate__`."""
        vars(self).update(state)
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Build the simulator, unless the cache has it.

        Raises:
            SetupError: it cannot be built.
        """
        engine_library(self.config, self._label)

    def match(
        self,
        tokens: Tensor,
        num_dst: int,
        reduce: int,
        options: MatchOptions = MatchOptions(),
    ) -> SimulatedMatch:
        """See `software.library.backends.MatchingBackend.match`.

        Raises:
            SetupError: the simulator cannot be built.
            SimulationError: the engine did not finish, or reported an error.
            ValueError: the folder for states cannot be written to.
            OSError: a state cannot be written or read.
        """
        job = prepare_job(self.config, tokens, num_dst, reduce, options)
        with self._lock:
            try:
                if self._checkpoints is not None:
                    self.close()
                simulator = self._powered(job.layout.size)
                job.load(simulator.memory)
                before = simulator.beats
                writes = list(
                    register_writes(
                        job.layout, reduce, job.options, every_pair=self._every_pair,
                        watchdog=WATCHDOG + self._latency,
                    )
                )  # fmt: skip
                checkpoint = self._checkpoint(writes, job.bits, job.first)
                self._run(simulator, writes, self._limit(job), checkpoint)
                found = read_match(simulator, job, simulator.memory)
                read, written = (
                    now - then for now, then in zip(simulator.beats, before, strict=True)
                )
                return SimulatedMatch(**vars(found), beats=(read, written))
            except BaseException:
                # An interrupt, too, may leave a job under way, whose registers take no other.
                self.close()
                raise

    def _powered(self, memory_bytes: int) -> Simulator:
        """A simulator with that much memory: the one there is, or a new one, identified."""
        if self.simulator is None or len(self.simulator.memory) < memory_bytes:
            self.close()
            library = engine_library(self.config, self._label)
            waves = _next_waves() if waves_wanted() else None
            self.simulator = simulator = Simulator(
                library, memory_bytes, latency=self._latency, stall=self._stall, seed=self._seed,
                waves=waves,
            )  # fmt: skip
            identify(simulator, self.config)
        return self.simulator

    def _checkpoint(
        self, writes: list[tuple[int, int]], bits: np.ndarray[Any, Any], first: list[int] | None
    ) -> Checkpoint | None:
        """The state that is kept of a job, where any is."""
        if self._checkpoints is None:
            return None
        memory = (self._latency, self._stall, self._seed)
        library = engine_library(self.config, self._label).name
        parts = (repr((library, memory, writes, first)).encode(), bits.tobytes())
        return Checkpoint(self._checkpoints, parts)

    def _run(
        self,
        simulator: Simulator,
        writes: list[tuple[int, int]],
        limit: int,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Start a job, or go on with it, and wait for its interrupt."""
        begun = 0 if checkpoint else simulator.cycles
        if checkpoint is None or not checkpoint.restore(simulator):
            for offset, value in writes:
                simulator.write_register(offset, value)
        while not simulator.run(_SLICE):
            spent = simulator.cycles - begun
            if spent > limit:
                status = simulator.read_register(OFFSETS["STATUS"])
                raise SimulationError(
                    f"the engine has not finished after {spent} cycles; STATUS reads {status:#x}."
                )
            if self._progress is not None:
                self._progress(spent, simulator.read_register(OFFSETS["PAIRINGS"]))
            if checkpoint:
                checkpoint.keep(simulator)
        acknowledge(simulator)
        if checkpoint:
            checkpoint.remove()

    def _limit(self, job: EngineJob) -> int:
        """Cycles that no job of its size takes, however its memory stalls."""
        return int(job.most_cycles(self._latency) / (1 - self._stall) ** 2)


def _next_waves() -> Path:
    """A file for waveforms that does not exist yet."""
    folder = Path("build/waves")
    folder.mkdir(parents=True, exist_ok=True)
    taken = len(list(folder.glob("orbis_*.vcd")))
    return folder / f"orbis_{taken}.vcd"
