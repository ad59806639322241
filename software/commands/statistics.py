"""``orbis statistics``: what the engine would do on some tokens, counted without running it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from golden.options import MatchOptions
from software.commands.match import Tokens
from software.commands.options import ScaleGroup
from software.library.terminal import print_json, print_summary, progress_bar

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
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Match tokens, and count the comparisons and groups that the engine's cycles follow from.

    STATS.json holds, of each pairing, how many slots moved, how many src were compared with these
    (compared) and with all slots (full), and how many joined another group; of each update, how
    many groups it rebuilt and their members. Every pair is checked against a pairing that compares
    everything.

    Example: `orbis statistics tokens.npy --num-dst 128 -o stats.json`
    """
    from software.library.files import check_outputs, write_json
    from software.library.npy import load_tokens

    options = MatchOptions(seed=seed, spread=spread, epsilon=epsilon, max_iterations=max_iterations)
    check_outputs([output], inputs=[tokens])
    matrix = load_tokens(tokens)
    from golden.qe import quantize
    from software.study.statistics import count_match

    quantized = quantize(matrix, scale_group=scale_group)
    del matrix  # as large as all that follows
    with progress_bar("pair", max_iterations) as advance:
        found = count_match(quantized, num_dst, options, advance)
    content: dict[str, Any] = {
        **found.as_dict(),
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
