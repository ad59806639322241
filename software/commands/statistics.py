"""``orbis statistics``: what the engine would do on some tokens, counted without running it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from golden.options import MatchOptions
from software.commands.match import Tokens
from software.commands.options import ScaleGroup
from software.library.terminal import print_json, print_summary, progress_bar

if TYPE_CHECKING:
    from software.study.chunks import Lanes

_SHOWN = ("tokens", "channels", "num_dst", "iterations", "full_pairings", "seconds")
"""What of the counts is printed for people."""


def statistics(
    tokens: Tokens,
    num_dst: Annotated[int, typer.Option("--num-dst", metavar="M", help="Dst tokens, 1..N-1.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="STATS.json", help="Where to write the counts."),
    ],
    seed: Annotated[
        int, typer.Option(metavar="S", help="Seed of the random first dst.")
    ] = MatchOptions.seed,
    spread: Annotated[
        bool,
        typer.Option("--spread", help="First dst that spread over the tokens, farthest first."),
    ] = MatchOptions.spread,
    epsilon: Annotated[
        float, typer.Option(help="Least relative change of the total loss that goes on.")
    ] = MatchOptions.epsilon,
    max_iterations: Annotated[int, typer.Option(help="Most pairings.")] = (
        MatchOptions.max_iterations
    ),
    scale_group: ScaleGroup = 1,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Count how far comparisons go in the engine of this preset, too."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Match tokens, and count the comparisons and groups that the engine's cycles follow from.

    STATS.json holds, of each pairing, how many slots moved, how many src were compared with these
    (compared) and with all slots (full), and how many joined another group; of each update, how
    many groups it rebuilt and their members, how many slots it moved, and of how many others the
    members changed in number (recounted); groups of more than 128 are listed (long). With --preset
    also by how many chunks of channels comparisons of that engine's lanes are decided, in a sample
    of 24 groups of src. Every pair is checked against a pairing that compares everything.

    Example: `orbis statistics tokens.npy --num-dst 128 -o stats.json`
    """
    from software.library.files import check_outputs, write_json
    from software.library.npy import load_tokens

    options = MatchOptions(seed=seed, spread=spread, epsilon=epsilon, max_iterations=max_iterations)
    check_outputs([output], inputs=[tokens])
    lanes = None if preset is None else _lanes(preset)
    matrix = load_tokens(tokens)
    from golden.qe import quantize
    from software.study.statistics import count_match

    quantized = quantize(matrix, scale_group=scale_group)
    del matrix  # as large as all that follows
    with progress_bar("pair", max_iterations) as advance:
        found = count_match(quantized, num_dst, options, advance, lanes=lanes)
    content: dict[str, Any] = {
        **found.as_dict(),
        "preset": preset,
        "lanes": None if lanes is None else asdict(lanes),
        "scale_group": scale_group,
        "seed": seed,
        "spread": spread,
        "epsilon": epsilon,
        "max_iterations": max_iterations,
    }
    write_json(output, content)
    if as_json:
        print_json({**content, "output": str(output)})
    else:
        print_summary({name: content[name] for name in _SHOWN} | {"output": str(output)})


def _lanes(preset: str) -> "Lanes":
    """What an engine compares at once."""
    from software.library.backends.presets import preset_config
    from software.study.chunks import SAMPLED_GROUPS, Lanes

    config = preset_config(preset)
    return Lanes(
        config.dst_lanes, config.src_lanes, config.channel_lanes, most_groups=SAMPLED_GROUPS
    )
