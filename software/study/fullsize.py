"""A layer of full size on a simulated engine: ``python -m software.study.fullsize``.

The size is CogVideoX-5B's: 17,550 tokens of real video of 3,072 channels, a quarter of them dst.
One whole match goes through the engine's registers and memory; all of its arrays are held against
the golden model's, and its cycles and bytes against the cycle model's.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import quantize
from hw.config import PRESETS, EngineConfig
from software.demo.video_tokens import TokenGrid
from software.library.backends.rtl import RtlBackend
from software.library.files import check_outputs, output_folder, write_json
from software.library.terminal import print_summary, progress_bar
from software.study.chunks import SAMPLED_GROUPS
from software.study.engine_check import beside_model, check_equal, modelled
from software.study.layer_tokens import CLIP, GRID, layer_tokens
from system.engine_shape import EngineShape
from system.models import num_dst_of, reduce_of


def measure(
    config: EngineConfig, grid: TokenGrid = GRID, checkpoints: Path | None = None
) -> dict[str, Any]:
    """Match the tokens of a grid on an engine and in the golden model, and model the engine.

    Args:
        config: the engine's sizes.
        grid: how many tokens.
        checkpoints: folder for the engine's state, from which a run that was killed goes on.

    Raises:
        AssertionError: the engine's arrays are not the golden model's.
    """
    tokens = layer_tokens(grid)
    num_tokens, channels = tokens.shape
    num_dst, reduce = num_dst_of(num_tokens), reduce_of(num_tokens)
    options = MatchOptions(seed=0)
    begun = time.perf_counter()
    with progress_bar("cycles", None) as advance:
        engine = RtlBackend(
            config, label=f"an engine of {config.lanes} lanes", checkpoints=checkpoints,
            progress=lambda cycles, pairings: advance(f"{pairings} pairings", cycles),
        )  # fmt: skip
        found = engine.match(tokens, num_dst, reduce, options)
    seconds = time.perf_counter() - begun
    quantized = quantize(tokens, scale_group=config.scale_group)
    check_equal(found, match(quantized, num_dst, reduce, options))
    cost = modelled(
        EngineShape.from_dict(config.as_dict()), quantized, num_dst, reduce, options,
        most_groups=SAMPLED_GROUPS,
    )  # fmt: skip
    return {
        "config": config.as_dict(),
        "clip": CLIP,
        "tokens": num_tokens,
        "channels": channels,
        "num_dst": num_dst,
        "reduce": reduce,
        **beside_model(found, cost),
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
    parser.add_argument("--preset", choices=PRESETS, default="paper", help="the engine's sizes")
    asked = parser.parse_args(arguments)
    if asked.json:
        check_outputs([asked.json])
    if asked.checkpoints:
        output_folder(asked.checkpoints)
    found = {
        "preset": asked.preset,
        **measure(PRESETS[asked.preset], TokenGrid(*asked.grid), asked.checkpoints),
    }
    print_summary({name: json.dumps(value) for name, value in found.items()})
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
