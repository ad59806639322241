"""The simulated engine as a backend: what a driver of the real one would do, over its registers."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from golden import validate
from golden.options import MatchOptions
from golden.qe import TokenFormat, quantize, round_to_format
from golden.spread import spread
from hw.bus.registers import STAGES
from hw.config import EngineConfig
from hw.regions import JobSizes
from software.library.backends import Progress
from software.library.backends.checkpoint import Checkpoint
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.driver import (
    OFFSETS,
    WATCHDOG,
    acknowledge,
    identify,
    read_counter,
    register_writes,
)
from software.library.backends.layout import Layout
from software.library.backends.presets import check_capacity, preset_config
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
    ) -> ClockedMatch:
        """See `software.library.backends.MatchingBackend.match`.

        Raises:
            SetupError: the simulator cannot be built.
            SimulationError: the engine did not finish, or reported an error.
            ValueError: the folder for states cannot be written to.
            OSError: a state cannot be written or read.
        """
        rounded = round_to_format(tokens, self._format)
        num_tokens, channels = rounded.shape
        validate.check_sizes(num_tokens, num_dst, reduce)
        check_capacity(self.config, num_tokens, channels, num_dst, options.max_iterations)
        if options.init is None and options.spread:
            options = replace(options, init=self._spread(rounded, num_dst, options.seed))
        init = options.init
        first = None if init is None else validate.check_init(init, num_tokens, num_dst)

        layout = Layout(JobSizes(self.config, num_tokens, channels, num_dst))
        bits = rounded.contiguous().view(torch.int16).cpu().numpy().view(np.uint16)
        with self._lock:
            try:
                if self._checkpoints is not None:
                    self.close()
                simulator = self._powered(layout.size)
                layout.put_tokens(simulator.memory, bits)
                if first is not None:
                    layout.put_dst(simulator.memory, first)
                before = simulator.beats
                writes = list(
                    register_writes(
                        layout, reduce, options, every_pair=self._every_pair,
                        watchdog=WATCHDOG + self._latency,
                    )
                )  # fmt: skip
                limit = self._limit(layout.job, options.max_iterations)
                self._run(simulator, writes, limit, self._checkpoint(writes, bits, first))
                return self._result(simulator, layout, reduce, before)
            except BaseException:
                # An interrupt, too, may leave a job under way, whose registers take no other.
                self.close()
                raise

    def _spread(self, tokens: Tensor, num_dst: int, seed: int) -> Tensor:
        """The first dst list, chosen by the host: the engine draws, or takes what it is given."""
        levels = quantize(
            tokens, token_format=self._format, scale_group=self.config.scale_group,
            weight_bits=self.config.weight_bits,
        )  # fmt: skip
        return spread(levels, num_dst, seed)

    @property
    def _format(self) -> TokenFormat:
        return "bf16" if self.config.token_format == "bf16" else "fp16"

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

    def _limit(self, job: JobSizes, pairings: int) -> int:
        """Cycles that no job of its size takes: many times what it should, memory included."""
        config = self.config
        a_slot = job.row_beats + -(-job.chunks // config.dst_lanes)
        comparing = -(-job.tokens // config.src_lanes) * job.num_dst * a_slot
        # Each token is quantised once; in every pairing it is sorted and weighed as a member.
        each_token = 8 * job.tokens * (job.channels + self._latency)
        slow = 8 / (1 - self._stall) ** 2
        return int(slow * (pairings * comparing + (pairings + 1) * each_token)) + 1_000_000

    def _result(
        self, simulator: Simulator, layout: Layout, reduce: int, before: tuple[int, int]
    ) -> ClockedMatch:
        iterations = simulator.read_register(OFFSETS["PAIRINGS"])
        records = layout.records(simulator.memory, reduce)
        return ClockedMatch(
            **{name: torch.from_numpy(column) for name, column in records.items()},
            medoids=torch.from_numpy(layout.dst(simulator.memory)),
            loss_history=layout.history(simulator.memory, iterations),
            iterations=iterations,
            cycles=read_counter(simulator, "total"),
            stage_cycles={stage: read_counter(simulator, stage) for stage in STAGES},
            busy_cycles=read_counter(simulator, "dau"),
            beats=(simulator.beats[0] - before[0], simulator.beats[1] - before[1]),
        )


def _next_waves() -> Path:
    """A file for waveforms that does not exist yet."""
    folder = Path("build/waves")
    folder.mkdir(parents=True, exist_ok=True)
    taken = len(list(folder.glob("orbis_*.vcd")))
    return folder / f"orbis_{taken}.vcd"
