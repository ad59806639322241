"""Engines and jobs that several tests of the models use."""

from dataclasses import replace

from system.engine_shape import EngineShape, JobShape

SMALL = EngineShape(
    max_tokens=4096, max_channels=512, max_dst=2048, dst_lanes=4, src_lanes=3, channel_lanes=16,
    src_groups=2, bus_bytes=16, scale_group=16, token_format="fp16", weight_bits=8,
    quantize_lanes=2, update_lanes=8, sorter_width=4, max_pairings=32, burst_beats=16,
    fifo_beats=64,
)  # fmt: skip
OWN_SCALES = replace(SMALL, scale_group=1, token_format="bf16", bus_bytes=64)


def small_job(
    tokens: int = 100, channels: int = 128, num_dst: int = 20, reduce: int = 30
) -> JobShape:
    """A job in `SMALL`."""
    return JobShape(SMALL, tokens, channels, num_dst, reduce)
