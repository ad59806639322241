"""A layer of full size on the simulated paper engine: ``python -m software.study.fullsize``.

The size is CogVideoX-5B's: 17,550 tokens of real video of 3,072 channels, a quarter of them dst.
One whole match goes through the engine's registers and memory, and all of its arrays are held
against the golden model's.
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

PRESET = "paper"
CLIP, GRID = "bigbuckbunny", TokenGrid(13, 30, 45)
"""The latent frames, rows and columns of CogVideoX-5B's video."""
SHARE_DST, SHARE_REDUCED = 4, 0.38
_EXPECTED_CYCLES = 330_000_000
"""Of the progress bar alone."""


def measure(grid: TokenGrid = GRID) -> dict[str, Any]:
    """Match the tokens of a grid on the engine and in the golden model.

    Raises:
        AssertionError: the engine's arrays are not the golden model's.
    """
    tokens = torch.from_numpy(video_tokens(CLIP, grid))
    num_tokens, channels = tokens.shape
    num_dst, reduce = -(-num_tokens // SHARE_DST), round(SHARE_REDUCED * num_tokens)
    config, options = PRESETS[PRESET], MatchOptions(seed=0)
    with progress_bar("cycles", _EXPECTED_CYCLES) as advance:
        engine = RtlBackend(
            config, label=f"preset {PRESET}",
            progress=lambda cycles, pairings: advance(f"{pairings} pairings", cycles),
        )  # fmt: skip
        engine.prepare()
        begun = time.perf_counter()
        found = engine.match(tokens, num_dst, reduce, options)
        seconds = time.perf_counter() - begun
    expected = match(quantize(tokens, scale_group=config.scale_group), num_dst, reduce, options)
    for name in ("src", "dst", "loss", "medoids"):
        if not torch.equal(getattr(found, name), getattr(expected, name)):
            raise AssertionError(f"the engine's {name} is not the golden model's.")
    if found.loss_history != expected.loss_history:
        raise AssertionError("the engine's history of L is not the golden model's.")
    return {
        "preset": PRESET,
        "config": config.as_dict(),
        "tokens": num_tokens,
        "channels": channels,
        "num_dst": num_dst,
        "reduce": reduce,
        "pairings": found.iterations,
        "equal": True,
        "cycles": found.cycles,
        "stage_cycles": found.stage_cycles,
        "busy_cycles": found.busy_cycles,
        "beats_read": found.beats[0],
        "beats_written": found.beats[1],
        "seconds": round(seconds, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and put it into the file."""
    parser = argparse.ArgumentParser(prog="python -m software.study.fullsize", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="put what was found into OUT")
    parser.add_argument("--grid", type=int, nargs=3, default=GRID.sizes,
                        metavar=("FRAMES", "ROWS", "COLUMNS"), help="another size")  # fmt: skip
    asked = parser.parse_args(arguments)
    if asked.json:
        check_outputs([asked.json])
    found = measure(TokenGrid(*asked.grid))
    print_summary({name: json.dumps(value) for name, value in found.items()})
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
