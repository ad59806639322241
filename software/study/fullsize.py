"""A layer of full size on the simulated paper engine: ``python -m software.study.fullsize``.

The size is CogVideoX-5B's: 17,550 tokens of real video of 3,072 channels, a quarter of them dst.
One whole match goes through the engine's registers and memory; all of its arrays are held against
the golden model's, and its cycles and bytes against the cycle model's.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import quantize
from hw.config import PRESETS
from software.demo.video_tokens import TokenGrid, video_tokens
from software.library.backends.rtl import RtlBackend
from software.library.files import check_outputs, write_json
from software.library.terminal import print_summary, progress_bar
from software.study.chunks import Lanes
from software.study.statistics import count_match
from system.engine_cycles import job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics

PRESET = "paper"
CLIP, GRID = "bigbuckbunny", TokenGrid(13, 30, 45)
"""The latent frames, rows and columns of CogVideoX-5B's video."""
SHARE_DST, SHARE_REDUCED = 4, 0.38
_MOST_GROUPS = 24
"""Groups of src whose comparisons the model's statistics follow, in each pass."""
_EXPECTED_CYCLES = 375_000_000
"""Of the progress bar alone."""


def measure(grid: TokenGrid = GRID, checkpoints: Path | None = None) -> dict[str, Any]:
    """Match the tokens of a grid on the engine and in the golden model, and model the engine.

    Args:
        grid: how many tokens.
        checkpoints: folder for the engine's state, from which a run that was killed goes on.

    Raises:
        AssertionError: the engine's arrays are not the golden model's.
    """
    tokens = torch.from_numpy(video_tokens(CLIP, grid))
    num_tokens, channels = tokens.shape
    num_dst, reduce = -(-num_tokens // SHARE_DST), round(SHARE_REDUCED * num_tokens)
    config, options = PRESETS[PRESET], MatchOptions(seed=0)
    begun = time.perf_counter()
    with progress_bar("cycles", _EXPECTED_CYCLES) as advance:
        engine = RtlBackend(
            config, label=f"preset {PRESET}", checkpoints=checkpoints,
            progress=lambda cycles, pairings: advance(f"{pairings} pairings", cycles),
        )  # fmt: skip
        found = engine.match(tokens, num_dst, reduce, options)
    seconds = time.perf_counter() - begun
    quantized = quantize(tokens, scale_group=config.scale_group)
    expected = match(quantized, num_dst, reduce, options)
    for name in ("src", "dst", "loss", "medoids"):
        if not torch.equal(getattr(found, name), getattr(expected, name)):
            raise AssertionError(f"the engine's {name} is not the golden model's.")
    if found.loss_history != expected.loss_history:
        raise AssertionError("the engine's history of L is not the golden model's.")
    lanes = Lanes(config.dst_lanes, config.src_lanes, config.channel_lanes, _MOST_GROUPS)
    counted = count_match(quantized, num_dst, options, lanes=lanes)
    job = JobShape(EngineShape.from_dict(config.as_dict()), num_tokens, channels, num_dst, reduce)
    cost = job_cost(job, MatchStatistics.from_dict(counted.as_dict()))
    return {
        "preset": PRESET,
        "config": config.as_dict(),
        "clip": CLIP,
        "tokens": num_tokens,
        "channels": channels,
        "num_dst": num_dst,
        "reduce": reduce,
        "pairings": found.iterations,
        "equal": True,
        "cycles": found.cycles,
        "modelled": round(cost.total.cycles),
        "error": cost.total.cycles / found.cycles - 1,
        "stages": {
            stage: {"cycles": cycles, "modelled": cost.cycles(stage)}
            for stage, cycles in found.stage_cycles.items()
        },
        "busy": found.busy_cycles,
        "busy_modelled": round(cost.total.busy),
        "beats": list(found.beats),
        "beats_modelled": [cost.total.read, cost.total.written],
        "seconds_of_last_process": round(seconds, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and put it into the file."""
    parser = argparse.ArgumentParser(prog="python -m software.study.fullsize", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="put what was found into OUT")
    parser.add_argument("--grid", type=int, nargs=3, default=GRID.sizes,
                        metavar=("FRAMES", "ROWS", "COLUMNS"), help="another size")  # fmt: skip
    parser.add_argument("--checkpoints", type=Path, metavar="FOLDER",
                        help="keep the engine's state there, and go on from it")  # fmt: skip
    asked = parser.parse_args(arguments)
    if asked.json:
        check_outputs([asked.json])
    if asked.checkpoints:
        asked.checkpoints.mkdir(parents=True, exist_ok=True)
    found = measure(TokenGrid(*asked.grid), asked.checkpoints)
    print_summary({name: json.dumps(value) for name, value in found.items()})
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
