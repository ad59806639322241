"""The cycle model against the simulated engine: ``python -m software.study.bench.cycles``.

Engines of several shapes match several sets of tokens, incrementally and with every pair computed.
Their matches must be golden's, bytes must be the model's to the byte, and cycles near it. The model
was made with some engines and tokens in view; others it had not seen are told apart (held out).
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from hw.config import EngineConfig
from software.demo.tokens import PATH
from software.demo.video_tokens import TokenGrid, video_tokens
from software.library.backends.rtl import RtlBackend
from software.library.files import check_outputs, write_json
from software.library.terminal import print_line, print_table
from software.study.chunks import Lanes
from software.study.statistics import count_match
from system.engine_cycles import job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics

_MOST_PAIRINGS = 6


def _config(**sizes: Any) -> EngineConfig:
    return EngineConfig(max_tokens=2048, max_channels=512, max_dst=1024, **sizes)


CONFIGS: dict[str, EngineConfig] = {
    "narrow, bf16": _config(
        dst_lanes=2, src_lanes=4, channel_lanes=4, src_groups=2, bus_bytes=16, quantize_lanes=2,
        update_lanes=2, sorter_width=4, fifo_beats=32, token_format="bf16",
    ),
    "shared scale": _config(
        dst_lanes=4, src_lanes=2, channel_lanes=8, src_groups=4, bus_bytes=32, scale_group=8,
        fifo_beats=64,
    ),
    "wide bus": _config(
        dst_lanes=2, src_lanes=4, channel_lanes=16, src_groups=3, quantize_lanes=8,
        sorter_width=16, fifo_beats=128,
    ),
    "as paper": _config(
        dst_lanes=4, src_lanes=2, channel_lanes=16, src_groups=9, bus_bytes=16, scale_group=16,
        quantize_lanes=2, update_lanes=8, sorter_width=2, burst_beats=8, fifo_beats=16,
    ),
    "one dst": _config(
        dst_lanes=1, src_lanes=5, channel_lanes=8, src_groups=4, bus_bytes=16, scale_group=8,
        update_lanes=2, sorter_width=4, fifo_beats=32,
    ),
    "many dst": _config(
        dst_lanes=8, src_lanes=2, channel_lanes=4, src_groups=5, bus_bytes=32, scale_group=4,
        quantize_lanes=8, update_lanes=2, sorter_width=4, fifo_beats=32,
    ),
}  # fmt: skip
"""Engines of 32 to 128 lanes."""

HELD_OUT_CONFIGS: dict[str, EngineConfig] = {
    "one dst, deep": _config(
        dst_lanes=1, src_lanes=8, channel_lanes=8, src_groups=2, bus_bytes=32, update_lanes=4,
        fifo_beats=64,
    ),
    "square": _config(
        dst_lanes=2, src_lanes=2, channel_lanes=16, src_groups=6, bus_bytes=32, scale_group=16,
        quantize_lanes=2, update_lanes=8, sorter_width=4, burst_beats=4, fifo_beats=8,
    ),
    "bf16, shared": _config(
        dst_lanes=4, src_lanes=4, channel_lanes=8, src_groups=3, bus_bytes=16, scale_group=8,
        burst_beats=8, fifo_beats=16, token_format="bf16",
    ),
    "threes": _config(
        dst_lanes=3, src_lanes=3, channel_lanes=8, src_groups=7, quantize_lanes=8, sorter_width=2,
        fifo_beats=32,
    ),
    "one src": _config(
        dst_lanes=4, src_lanes=1, channel_lanes=16, src_groups=12, quantize_lanes=16,
        update_lanes=2, sorter_width=32, burst_beats=32, fifo_beats=128,
    ),
}  # fmt: skip
"""Engines that nobody looked at while the model was made."""


def _clusters(tokens: int, channels: int, count: int) -> Tensor:
    random = np.random.default_rng(count)
    centre = 3 * random.standard_normal((count, channels))
    values = centre[random.integers(0, count, tokens)]
    values += 0.3 * random.standard_normal((tokens, channels))
    return torch.from_numpy(values.astype(np.float16))


def _shipped(tokens: int) -> Tensor:
    return torch.from_numpy(np.load(PATH)[:tokens])


def _video() -> Tensor:
    return torch.from_numpy(video_tokens("carphone", TokenGrid(3, 9, 11))[:, :256].copy())


def _another_video() -> Tensor:
    return torch.from_numpy(video_tokens("bikes", TokenGrid(2, 11, 13))[:, 1000:1400].copy())


def _uneven_clusters() -> Tensor:
    random = np.random.default_rng(8)
    centre = random.standard_normal((30, 96))
    values = centre[np.minimum(random.geometric(0.15, 350) - 1, 29)]
    values += 0.2 * random.standard_normal((350, 96))
    return torch.from_numpy(values.astype(np.float16))


def _ties() -> Tensor:
    values = np.random.default_rng(9).integers(0, 3, (320, 33))
    return torch.from_numpy(values.astype(np.float16))


def _random() -> Tensor:
    values = np.random.default_rng(0).standard_normal((300, 256))
    return torch.from_numpy(values.astype(np.float16))


TOKENS: dict[str, Callable[[], Tensor]] = {
    "shipped": lambda: _shipped(512),
    "shipped, 199 of them": lambda: _shipped(199),
    "real video": _video,
    "clusters": lambda: _clusters(400, 128, 44),
    "few clusters": lambda: _clusters(500, 64, 3),
    "all alike": lambda: torch.full((300, 64), 0.5).half(),
    "random": _random,
}
"""Sets of tokens; of each a quarter are dst, of few clusters fewer."""

HELD_OUT_TOKENS: dict[str, Callable[[], Tensor]] = {
    "another video": _another_video,
    "uneven clusters": _uneven_clusters,
    "ties": _ties,
}
"""Sets that nobody looked at while the model was made."""


@dataclass(frozen=True)
class Engines:
    """An engine in both ways, by whether it computes every pair."""

    config: EngineConfig
    backends: dict[bool, RtlBackend]

    @classmethod
    def of(cls, config: EngineConfig, label: str) -> "Engines":
        """Nothing is built before the first match."""
        backends = {
            every: RtlBackend(config, label=label, every_pair=every) for every in (False, True)
        }
        return cls(config, backends)

    def quantized(self, tokens: Tensor) -> Quantized:
        """The tokens as this engine quantises them."""
        config = self.config
        return quantize(
            tokens, token_format="bf16" if config.token_format == "bf16" else "fp16",
            scale_group=config.scale_group, weight_bits=config.weight_bits,
        )  # fmt: skip

    def close(self) -> None:
        """End the simulations."""
        for backend in self.backends.values():
            backend.close()


def compare(engines: Engines, tokens: Tensor, num_dst: int, *, every_pair: bool) -> dict[str, Any]:
    """Match tokens on the engine, and model it.

    Raises:
        AssertionError: the engine's match is not golden's.
    """
    config, backend = engines.config, engines.backends[every_pair]
    quantized, options = engines.quantized(tokens), MatchOptions(max_iterations=_MOST_PAIRINGS)
    num_tokens, channels = tokens.shape
    reduce = round(0.38 * num_tokens)
    found = backend.match(tokens, num_dst, reduce, options)
    expected = match(quantized, num_dst, reduce, options)
    if found.loss_history != expected.loss_history or not torch.equal(found.src, expected.src):
        raise AssertionError("the engine's match is not the golden model's.")
    lanes = Lanes(config.dst_lanes, config.src_lanes, config.channel_lanes)
    counted = count_match(quantized, num_dst, options, lanes=lanes, every_pair=every_pair)
    job = JobShape(EngineShape.from_dict(config.as_dict()), num_tokens, channels, num_dst, reduce)
    cost = job_cost(job, MatchStatistics.from_dict(counted.as_dict()))
    total = cost.total
    return {
        "every_pair": every_pair,
        "tokens": num_tokens,
        "channels": channels,
        "num_dst": num_dst,
        "pairings": found.iterations,
        "cycles": found.cycles,
        "modelled": round(total.cycles),
        "error": total.cycles / found.cycles - 1,
        "stages": {
            stage: {
                "cycles": cycles, "modelled": cost.cycles(stage) if stage in cost.stages else 0,
            }
            for stage, cycles in found.stage_cycles.items()
        },
        "busy": found.busy_cycles,
        "busy_modelled": total.busy,
        "beats": list(found.beats),
        "beats_modelled": [total.read, total.written],
    }  # fmt: skip


def compare_all(
    configs: Mapping[str, EngineConfig], tokens: Mapping[str, Callable[[], Tensor]]
) -> list[dict[str, Any]]:
    """Every set of tokens on every engine, both ways."""
    rows = []
    for name, config in configs.items():
        engines = Engines.of(config, name)
        for kind, make in tokens.items():
            values = make()
            num_dst = 20 if kind == "few clusters" else -(-len(values) // 4)
            for every_pair in (False, True):
                row = compare(engines, values, num_dst, every_pair=every_pair)
                rows.append({"engine": name, "data": kind, **row})
        engines.close()
    return rows


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Median and worst error of the cycles, and whether all bytes are exact."""
    errors = [abs(row["error"]) for row in rows]
    return {
        "combinations": len(rows),
        "median_error": statistics.median(errors),
        "worst_error": max(errors),
        "bytes_exact": all(row["beats"] == row["beats_modelled"] for row in rows),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table of them."""
    stages = list(rows[0]["stages"])
    print_table(
        ("engine", "tokens", "every pair", "cycles", "error", *stages, "bytes"),
        (
            (
                row["engine"], row["data"], "yes" if row["every_pair"] else "",
                f"{row['cycles']:,}", f"{row['error']:+.2%}",
                *(_error(row["stages"][stage]) for stage in stages),
                "exact" if row["beats"] == row["beats_modelled"] else "WRONG",
            )
            for row in rows
        ),
    )  # fmt: skip
    summary = summarise(rows)
    print_line(
        f"{summary['combinations']} combinations: cycles within {summary['median_error']:.2%}"
        f" (median) and {summary['worst_error']:.2%} (worst)"
    )


def _error(stage: dict[str, int]) -> str:
    return f"{stage['modelled'] / stage['cycles'] - 1:+.1%}" if stage["cycles"] else ""


def main(arguments: list[str] | None = None) -> None:
    """Compare, print, and put it into the file."""
    parser = argparse.ArgumentParser(
        prog="python -m software.study.bench.cycles", description=__doc__
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="put what was found into OUT")
    asked = parser.parse_args(arguments)
    if asked.json:
        check_outputs([asked.json])
    sets = {"seen": (CONFIGS, TOKENS), "held_out": (HELD_OUT_CONFIGS, HELD_OUT_TOKENS)}
    found = {}
    for name, (configs, tokens) in sets.items():
        rows = compare_all(configs, tokens)
        print_line(f"{name.replace('_', ' ').capitalize()}:")
        show(rows)
        sizes = {engine: config.as_dict() for engine, config in configs.items()}
        found[name] = {**summarise(rows), "rows": rows, "configs": sizes}
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
