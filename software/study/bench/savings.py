"""What the exact savings save: whole matches on the simulated engine, with and without them.

An engine of 128 lanes matches 4,096 tokens of 256 channels, its memory answering after 100 cycles
with 64 bytes a cycle; with every distance computed anew in each pairing, and then incrementally.
Both give the golden model's arrays, or the measurement fails.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import quantize
from hw.config import EngineConfig
from software.demo.diffusion import TimeGrid
from software.demo.model import load_model
from software.demo.recording import record_run
from software.demo.tokens import PROMPT, SEED, STEPS
from software.demo.video_tokens import TokenGrid, video_tokens
from software.library.backends.rtl import RtlBackend
from software.library.terminal import print_table
from software.study.engine_check import check_equal

CONFIG = EngineConfig(
    max_tokens=4096, max_channels=256, max_dst=1024, dst_lanes=2, src_lanes=4, channel_lanes=16,
    src_groups=8, bus_bytes=64, scale_group=16, quantize_lanes=4, update_lanes=8,
)  # fmt: skip
_N, _D, _M = CONFIG.max_tokens, CONFIG.max_channels, CONFIG.max_dst
_REDUCE = _N * 3 // 8


def shipped() -> Tensor:
    """SDPA outputs of the shipped model: two layers side by side, of eight steps."""
    _, recorded = record_run(load_model(), PROMPT, SEED, TimeGrid(STEPS))
    moments = [STEPS * turn // 8 for turn in range(8)]
    rows = [
        torch.cat([recorded.outputs[step, layer] for layer in (1, 4)], dim=1) for step in moments
    ]
    return torch.cat(rows).half()


def video() -> Tensor:
    """Patches of a real video, every twelfth of their channels."""
    tokens = torch.from_numpy(video_tokens("bigbuckbunny", TokenGrid(4, 32, 32)))
    return tokens[:, :: tokens.shape[1] // _D].contiguous()


def clusters() -> Tensor:
    """Tokens around 600 centres, each as often as the next."""
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(600, _D, generator=generator)
    own = torch.randint(600, (_N,), generator=generator)
    return (centres[own] + 0.3 * torch.randn(_N, _D, generator=generator)).half()


def ties() -> Tensor:
    """Tokens of eight channels of three values: nearest dst at one of a few distances."""
    generator = torch.Generator().manual_seed(2)
    few = torch.randint(3, (_N, 8), generator=generator)
    return torch.cat([few, torch.zeros(_N, _D - 8)], dim=1).half()


def alike() -> Tensor:
    """The same token, 4,096 times."""
    return torch.ones(_N, _D).half()


TOKENS: dict[str, Callable[[], Tensor]] = {
    "shipped model": shipped, "real video": video, "clusters": clusters, "ties": ties,
    "all alike": alike,
}  # fmt: skip


def measure() -> list[dict[str, Any]]:
    """Match each set of tokens both ways."""
    engines = {every: RtlBackend(CONFIG, every_pair=every) for every in (True, False)}
    options = MatchOptions(seed=0)
    rows = []
    for name, make in TOKENS.items():
        tokens = make()
        quantized = quantize(tokens, scale_group=CONFIG.scale_group)
        expected = match(quantized, _M, _REDUCE, options)
        plain, incremental = (
            engines[every].match(tokens, _M, _REDUCE, options) for every in (True, False)
        )
        for found in (plain, incremental):
            check_equal(found, expected)
        rows.append(
            {
                "tokens": name,
                "pairings": plain.iterations,
                "plain": plain.cycles,
                "incremental": incremental.cycles,
                "ratio": incremental.cycles / plain.cycles,
                "busy": plain.busy_cycles / plain.stage_cycles["pair"],
            }
        )
    for engine in engines.values():
        engine.close()
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print what `measure` found."""
    print_table(
        ["tokens", "pairings", "cycles, plain", "incremental", "ratio", "busy in pairings"],
        [
            [
                row["tokens"], str(row["pairings"]), f"{row['plain']:,}",
                f"{row['incremental']:,}", f"{row['ratio']:.3f}", f"{row['busy']:.1%}",
            ]
            for row in rows
        ],
    )  # fmt: skip
