"""What a reduced step's attention costs of a full one's, and what a whole run gains.

SDPA alone: dropping the rows, attention over those that are left with its bias, and restoring the
results, against attention over all rows; the bound is (1 - ratio)^2 where Q, K and V lose rows, and
1 - ratio where Q alone does. Steps: a whole transformer's
full step, reduced step and matching, at the width of CogVideoX-2B. Loop: the shipped model's run.
All in one process, taking turns; medians.
"""

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from golden.datm import other_tokens
from golden.sampler import sample
from software.demo.diffusion import TimeGrid, denoise
from software.demo.model import load_model
from software.demo.prompt import Prompt
from software.library.config import OrbisConfig
from software.library.families import CogVideoX, merge_heads, split_heads
from software.library.matchers import make_matcher
from software.library.reduction import apply_orbis
from software.library.reduction.layer_rows import layer_rows
from software.library.terminal import print_summary, print_table
from software.library.workload import sdpa_left

_COPYING = OrbisConfig(ratio=0.38, targets="qkv", restore="copy")
"""As much as the paper reduces, and its restore, but for the mask of proportional attention."""
WAYS = {"Q K V, copy": _COPYING, "Q alone, residual": OrbisConfig()}
_REPEATS = 7


def interleaved(what: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, all taking turns after one unmeasured round."""
    seconds: dict[str, list[float]] = {name: [] for name in what}
    for turn in range(repeats + 1):
        for name, call in what.items():
            begun = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return {name: median(found) for name, found in seconds.items()}


class _AnyPairs:
    """Pairs of a given ratio: random dst, all else in order. Time does not depend on which."""

    def __init__(self, num_tokens: int, config: OrbisConfig) -> None:
        num_dst, reduce = config.counts((num_tokens, 1, 1))
        dst = sample(num_tokens, num_dst, 0)
        self.src = other_tokens(num_tokens, dst)[:reduce]
        self.dst = dst[torch.arange(len(self.src)) % len(dst)]


def sdpa(way: str, num_tokens: int, heads: int = 8, channels: int = 64) -> dict[str, Any]:
    """Seconds of SDPA over all N tokens and over those of a reduced step, and their ratio."""
    generator, config = torch.Generator().manual_seed(0), WAYS[way]
    pairs, device = _AnyPairs(num_tokens, config), torch.device("cpu")
    family, found = CogVideoX(), layer_rows([pairs], num_tokens, device, config.targets)
    states = torch.randn(1, num_tokens, heads * channels, generator=generator)

    def full() -> Tensor:
        part = split_heads(states, heads)
        return merge_heads(family.sdpa(None, part, part, part, None))

    results = full()
    rows = found.remember(results, results, config)

    def reduced() -> Tensor:
        query, key = (
            split_heads(part.take(states), heads) for part in (rows.query, rows.key_value)
        )
        mixed = family.sdpa(None, query, key, key, rows.key_value.bias)
        return rows.query.restore(merge_heads(mixed))

    seconds = interleaved({"full": full, "reduced": reduced}, _REPEATS)
    ratio = seconds["reduced"] / seconds["full"]
    bound = sdpa_left(config.ratio, config.targets)
    return {
        "way": way, "dropped": config.ratio, "num_tokens": num_tokens, "heads": heads,
        "channels": channels, **seconds, "ratio": ratio, "bound": bound,
        "times_bound": ratio / bound,
    }  # fmt: skip


def steps(layers: int = 2, grid: tuple[int, int, int] = (16, 16, 16)) -> dict[str, Any]:
    """Seconds of a full step, a reduced step and a layer's matching, at CogVideoX-2B's width."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CogVideoXTransformer3DModel(
            num_layers=layers, sample_frames=4 * grid[0] - 3, sample_height=2 * grid[1],
            sample_width=2 * grid[2],
        ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    frames, height, width = grid
    latents = torch.randn(1, frames, 16, 2 * height, 2 * width, generator=generator)
    text = torch.randn(1, 226, 4096, generator=generator)
    kinds = {"full": 900.0, "full and matching": 800.0, "reduced": 700.0}  # and their times
    found: dict[str, list[float]] = {name: [] for name in kinds}
    config = OrbisConfig(warmup_steps=2)
    with torch.no_grad():
        for _ in range(3):
            with apply_orbis(model, config) as applied:
                for kind, moment in kinds.items():
                    begun = time.perf_counter()
                    model(latents, text, torch.tensor([moment]), return_dict=False)
                    found[kind].append(time.perf_counter() - begun)
                usage = applied.usage
                done = usage.full_calls, usage.reduced_calls, usage.matchings
                assert done == (2, 1, layers), done
    seconds = {kind: median(each) for kind, each in found.items()}
    matching = seconds["full and matching"] - seconds["full"]
    group = 4 * seconds["full"]
    reduced = seconds["full"] + 3 * seconds["reduced"]
    return {
        "num_tokens": math.prod(grid), "text_tokens": 226, "width": 1920, "layers": layers,
        "full": seconds["full"], "reduced": seconds["reduced"], "matching": matching,
        "speed_up_of_four_steps": group / (reduced + matching),
        "speed_up_with_matching_hidden": group / reduced,
    }  # fmt: skip


_SIZES = ((4_096, 8), (8_192, 4), (17_550, 2))
"""Tokens and heads; fewer heads where there are more tokens, as only the ratio counts."""


def loop(repeats: int = 3, steps: int = 50) -> dict[str, Any]:
    """Seconds of the shipped model's run, unreduced and reduced."""
    model, config = load_model(), OrbisConfig()
    matching: list[float] = []

    def reduced() -> None:
        run = denoise(model, Prompt(0), 0, TimeGrid(steps), config=config,
                      matcher=make_matcher(config))  # fmt: skip
        matching.append(run.timing.matching)

    seconds = interleaved(
        {"unreduced": lambda: denoise(model, Prompt(0), 0, TimeGrid(steps)), "reduced": reduced},
        repeats,
    )
    spent = median(matching[1:])  # as `interleaved` leaves out its first round
    return {
        "num_tokens": 512, "steps": steps, "reduced_steps": config.full_steps(steps).count(False),
        **seconds, "matching": spent, "speed_up": seconds["unreduced"] / seconds["reduced"],
        "speed_up_with_matching_hidden": seconds["unreduced"] / (seconds["reduced"] - spent),
    }  # fmt: skip


def measure() -> dict[str, Any]:
    """All three."""
    ways = [sdpa(way, *size) for way in WAYS for size in _SIZES]
    return {"sdpa": ways, "steps": steps(), "loop": loop()}


def show(found: dict[str, Any]) -> None:
    """Print the tables of what ``measure`` found."""
    print_table(
        ("what", "dropped", "N", "heads", "full, s", "reduced, s", "ratio", "bound",
         "times the bound"),
        (
            (
                each["way"], f"{each['dropped']:.0%}", each["num_tokens"], each["heads"],
                f"{each['full']:.3f}", f"{each['reduced']:.3f}",
                f"{each['ratio']:.3f}", f"{each['bound']:.3f}", f"{each['times_bound']:.2f}",
            )
            for each in found["sdpa"]
        ),
    )  # fmt: skip
    for name in ("steps", "loop"):
        print_summary(
            {key: f"{value:.3g}" if isinstance(value, float) else value
             for key, value in found[name].items()}
        )  # fmt: skip
