"""The simulated engine as a backend: what a driver of the real one would do, over its registers."""

import threading
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from golden import validate
from golden.options import MatchOptions
from golden.qe import round_to_format
from hw.bus.registers import ID, REGISTERS, offsets
from hw.config import EngineConfig
from software.library.backends import Progress
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.layout import Layout
from software.library.backends.presets import check_capacity, preset_config
from software.library.errors import SimulationError
from software.library.extras import require
from software.library.simulator import Simulator
from software.library.simulator.engine import engine_library, waves_wanted

STAGES = ("quantize", "init", "pack", "pair", "update", "topk")
"""Stages whose cycles the engine counts; converging and reporting is the rest of the total."""

_SLICE = 200_000
"""Cycles between two reports of progress."""

_OFFSETS = offsets()
_MASKS = {
    f"{register.name}.{field.name}": 1 << field.bit
    for register in REGISTERS
    for field in register.fields
}


class RtlBackend:
    """Matches on the RTL of one engine, simulated natively with its memory.

    The engine stays in simulation between jobs, as a real one would stay under power. One job at
    a time: threads that want two need two backends. With WAVES=1 in the environment each
    simulation leaves orbis_<n>.vcd in build/waves.

    Args:
        config: the engine's sizes.
        label: what it is called while it is compiled.
        latency: cycles that the memory takes to answer.
        stall: probability that a memory channel holds back in a cycle.
        seed: of the stalls.
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
        progress: Progress | None = None,
    ):
        require("rtl")
        self.config = config
        self._label = label
        self._latency, self._stall, self._seed = latency, stall, seed
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
        if self.simulator is not None:
            self.simulator.close()
            self.simulator = None

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
        """
        rounded = round_to_format(tokens, "bf16" if self.config.token_format == "bf16" else "fp16")
        num_tokens, channels = rounded.shape
        validate.check_sizes(num_tokens, num_dst, reduce)
        init = options.init
        first = None if init is None else validate.check_init(init, num_tokens, num_dst)
        check_capacity(self.config, num_tokens, channels, num_dst, options.max_iterations)

        layout = Layout(self.config, num_tokens, channels, num_dst)
        job = {
            "TOKENS": num_tokens,
            "CHANNELS": channels,
            "NUM_DST": num_dst,
            "REDUCE": reduce,
            "SEED": options.seed,
            "EPSILON": options.epsilon_q16,
            "MAX_PAIRINGS": options.max_iterations,
        }
        with self._lock:
            simulator = self._powered(layout.size)
            bits = rounded.contiguous().view(torch.int16).cpu().numpy().view(np.uint16)
            layout.put_tokens(simulator.memory, bits)
            if first is not None:
                layout.put_dst(simulator.memory, first)
            self._run(simulator, layout, job, host_init=first is not None)
            return self._result(simulator, layout, reduce)

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
            found = simulator.read_register(_OFFSETS["ID"])
            if found != ID:
                raise SimulationError(f"register ID reads {found:#010x}; it must be {ID:#010x}.")
            found = simulator.read_register(_OFFSETS["CONFIG_HASH"])
            if found != self.config.hash:
                raise SimulationError(
                    f"the engine's config has hash {found:#010x}; the driver's has"
                    f" {self.config.hash:#010x}."
                )
        return self.simulator

    def _run(
        self, simulator: Simulator, layout: Layout, job: dict[str, int], *, host_init: bool
    ) -> None:
        """Start a job and wait for its interrupt."""
        for offset, value in register_writes(layout, job, host_init=host_init):
            simulator.write_register(offset, value)
        limit, begun = self._limit(layout, job), simulator.cycles
        while not simulator.run(_SLICE):
            spent = simulator.cycles - begun
            if spent > limit:
                status = simulator.read_register(_OFFSETS["STATUS"])
                # A hung engine is of no more use.
                self.close()
                raise SimulationError(
                    f"the engine has not finished after {spent} cycles; STATUS reads {status:#x}."
                )
            if self._progress is not None:
                self._progress(spent, simulator.read_register(_OFFSETS["PAIRINGS"]))
        simulator.write_register(_OFFSETS["INTERRUPT"], _MASKS["INTERRUPT.pending"])
        status = simulator.read_register(_OFFSETS["STATUS"])
        if status != _MASKS["STATUS.done"]:
            names = [name for name, mask in _MASKS.items() if status & mask and "STATUS" in name]
            raise SimulationError(f"the engine ended with {', '.join(names) or 'no status'}.")

    def _limit(self, layout: Layout, job: dict[str, int]) -> int:
        """Cycles that no job of its size takes: many times what it should, memory included."""
        config = self.config
        row = -(-layout.channels // config.channel_lanes)
        pairs = job["TOKENS"] * job["NUM_DST"] // (config.dst_lanes * config.src_lanes) + 1
        a_pairing = pairs * row + job["TOKENS"] * (self._latency + 4 * row)
        quantizing = 8 * job["TOKENS"] * (layout.channels + self._latency)
        slow = 8 / (1 - self._stall) ** 2
        return int(slow * (job["MAX_PAIRINGS"] * a_pairing + quantizing)) + 1_000_000

    def _result(self, simulator: Simulator, layout: Layout, reduce: int) -> ClockedMatch:
        iterations = simulator.read_register(_OFFSETS["PAIRINGS"])
        src, dst, loss = layout.records(simulator.memory, reduce)
        return ClockedMatch(
            src=torch.from_numpy(src),
            dst=torch.from_numpy(dst),
            loss=torch.from_numpy(loss),
            medoids=torch.from_numpy(layout.dst(simulator.memory)),
            loss_history=layout.history(simulator.memory, iterations),
            iterations=iterations,
            cycles=_counter(simulator, "TOTAL"),
            stage_cycles={stage: _counter(simulator, stage.upper()) for stage in STAGES},
        )


def register_writes(
    layout: Layout, job: dict[str, int], *, host_init: bool = False
) -> list[tuple[int, int]]:
    """Offsets and values that start a job, in order.

    Args:
        layout: where its regions lie.
        job: the job registers of one word, by name.
        host_init: whether the DST region holds the initial dst list.
    """
    writes = [(_OFFSETS[name], value) for name, value in job.items()]
    for name, region in layout.regions.items():
        writes.append((_OFFSETS[f"{name}_ADDRESS_LO"], region.address & 0xFFFF_FFFF))
        writes.append((_OFFSETS[f"{name}_ADDRESS_HI"], region.address >> 32))
    control = _MASKS["CONTROL.interrupt_enable"] | _MASKS["CONTROL.start"]
    control |= _MASKS["CONTROL.host_init"] if host_init else 0
    return [*writes, (_OFFSETS["CONTROL"], control)]


def _counter(simulator: Simulator, name: str) -> int:
    """A cycle counter: reading its lower word keeps the upper one."""
    low = simulator.read_register(_OFFSETS[f"CYCLES_{name}_LO"])
    return low | simulator.read_register(_OFFSETS[f"CYCLES_{name}_HI"]) << 32


def _next_waves() -> Path:
    """A file for waveforms that does not exist yet."""
    folder = Path("build/waves")
    folder.mkdir(parents=True, exist_ok=True)
    taken = len(list(folder.glob("orbis_*.vcd")))
    return folder / f"orbis_{taken}.vcd"
