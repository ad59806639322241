"""A job as any engine's driver prepares it, and the match that it reads back."""

from dataclasses import dataclass, replace
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
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.driver import OFFSETS, Registers, read_counter
from software.library.backends.layout import Bytes, Layout
from software.library.backends.presets import check_capacity


@dataclass(frozen=True)
class EngineJob:
    """What an engine is given.

    Attributes:
        layout: its sizes, and where its regions lie.
        bits: uint16 [N, D], the token values.
        reduce: K.
        options: how it starts and when it stops; a list of first dst that spread is in ``init``.
        first: that list, where the host gives it.
    """

    layout: Layout
    bits: np.ndarray[Any, np.dtype[np.uint16]]
    reduce: int
    options: MatchOptions
    first: list[int] | None

    def load(self, memory: Bytes) -> None:
        """Write what the host gives to the job's regions."""
        self.layout.put_tokens(memory, self.bits)
        if self.first is not None:
            self.layout.put_dst(memory, self.first)

    def most_cycles(self, latency: int) -> int:
        """Cycles that no job of its size takes: many times what it should, memory included.

        Args:
            latency: cycles that the memory takes to answer.
        """
        job, config = self.layout.job, self.layout.job.config
        a_slot = job.row_beats + -(-job.chunks // config.dst_lanes)
        comparing = -(-job.tokens // config.src_lanes) * job.num_dst * a_slot
        # Each token is quantised once; in every pairing it is sorted and weighed as a member.
        each_token = 8 * job.tokens * (job.channels + latency)
        pairings = self.options.max_iterations
        return 8 * (pairings * comparing + (pairings + 1) * each_token) + 1_000_000


def prepare_job(
    config: EngineConfig,
    tokens: Tensor,
    num_dst: int,
    reduce: int,
    options: MatchOptions,
    *,
    packed: bool = False,
) -> EngineJob:
    """Check a job and make it one of an engine.

    Args:
        config: the engine's sizes.
        tokens: as all of these, see `software.library.backends.MatchingBackend.match`.
        num_dst: M.
        reduce: K.
        options: how to start and when to stop.
        packed: whether its regions lie one behind the other.

    Raises:
        ValueError: any of them out of its range, or beyond what the engine holds.
    """
    token_format: TokenFormat = "bf16" if config.token_format == "bf16" else "fp16"
    rounded = round_to_format(tokens, token_format)
    num_tokens, channels = rounded.shape
    validate.check_sizes(num_tokens, num_dst, reduce)
    check_capacity(config, num_tokens, channels, num_dst, options.max_iterations)
    if options.init is None and options.spread:
        # Chosen by the host: the engine draws, or takes what it is given.
        levels = quantize(
            rounded, token_format=token_format, scale_group=config.scale_group,
            weight_bits=config.weight_bits,
        )  # fmt: skip
        options = replace(options, init=spread(levels, num_dst, options.seed))
    init = options.init
    return EngineJob(
        Layout(JobSizes(config, num_tokens, channels, num_dst), packed=packed),
        rounded.contiguous().view(torch.int16).cpu().numpy().view(np.uint16),
        reduce,
        options,
        None if init is None else validate.check_init(init, num_tokens, num_dst),
    )


def read_match(registers: Registers, job: EngineJob, memory: Bytes) -> ClockedMatch:
    """What an engine found: of a job that has ended well, and the memory that it left."""
    layout = job.layout
    iterations = registers.read_register(OFFSETS["PAIRINGS"])
    records = layout.records(memory, job.reduce)
    return ClockedMatch(
        **{name: torch.from_numpy(column) for name, column in records.items()},
        medoids=torch.from_numpy(layout.dst(memory)),
        loss_history=layout.history(memory, iterations),
        iterations=iterations,
        cycles=read_counter(registers, "total"),
        stage_cycles={stage: read_counter(registers, stage) for stage in STAGES},
        busy_cycles=read_counter(registers, "dau"),
    )
