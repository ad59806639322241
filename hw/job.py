"""Job: the sizes and addresses of one matching job, as every stage sees them."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.utils import exact_log2

from hw.bus.registers import job_fields, job_registers
from hw.config import EngineConfig
from hw.regions import REGIONS


class Order(data.StructLayout):
    """A job as the host gives it; `hw.datm.Datm` checks it and derives a `Job` from it.

    A member for each job register and job field of docs/registers.md, as wide as the register.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                **{register.member: register.width(config) for register in job_registers()},
                **{field.name: 1 for field in job_fields()},
            }
        )


class Job(data.StructLayout):
    """Constant while the engine is busy.

    Members: ``tokens`` N; ``num_dst`` M; ``num_src`` N - M; ``reduce`` K; ``chunks`` of a token;
    ``row_beats`` of a quantised token, as `hw.regions.JobSizes` has them; `addresses`: the byte
    address of each region.
    """

    addresses = tuple(f"{region.name.lower()}_address" for region in REGIONS)

    def __init__(self, config: EngineConfig):
        count = config.count_bits
        super().__init__(
            {
                "tokens": count,
                "num_dst": count,
                "num_src": count,
                "reduce": count,
                "chunks": config.max_chunks.bit_length(),
                "row_beats": config.max_row_beats.bit_length(),
                **dict.fromkeys(self.addresses, config.address_bits),
            }
        )


def row_address(config: EngineConfig, first: Value, row_beats: Value, token: Value) -> Value:
    """The byte address of a token's row, in a region that starts at ``first``."""
    return first + ((token * row_beats) << exact_log2(config.bus_bytes))


def is_bad(config: EngineConfig, order: data.View) -> Value:
    """Whether an `Order` has sizes that the config or the algorithm does not allow."""
    return (
        (order.tokens < 2)
        | (order.tokens > config.max_tokens)
        | (order.channels < 1)
        | (order.channels > config.max_channels)
        | (order.num_dst < 1)
        | (order.num_dst > config.max_dst)
        | (order.num_dst >= order.tokens)
        | (order.reduce > order.tokens - order.num_dst)
        | (order.max_pairings < 1)
        | (order.max_pairings > config.max_pairings)
    )


def divide_up(value: Value, by: int) -> Value:
    """The whole number at or above ``value / by``, a power of two."""
    return (value + (by - 1)) >> exact_log2(by)


DERIVE_CYCLES = 3
"""Cycles in which `derive` settles after an order changes."""


def derive(m: Module, config: EngineConfig, order: data.View) -> data.View:
    """The `Job` of an `Order`, in registers."""
    job = Signal(Job(config))
    m.d.sync += [
        job.tokens.eq(order.tokens),
        job.num_dst.eq(order.num_dst),
        job.num_src.eq(job.tokens - job.num_dst),
        job.reduce.eq(order.reduce),
        job.chunks.eq(divide_up(order.channels, config.channel_lanes)),
        job.row_beats.eq(divide_up(order.channels, config.levels_per_beat)),
        *(job[name].eq(order[name]) for name in Job.addresses),
    ]
    return job
