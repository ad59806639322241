"""``orbis quantize`` and ``orbis match``: token matrices in, arrays out."""

import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from golden.options import MatchOptions
from software.commands.options import ScaleGroup
from software.library.terminal import console, print_json, print_summary

if TYPE_CHECKING:
    from golden.datm import Match

Tokens = Annotated[
    Path, typer.Argument(metavar="TOKENS.npy", help="Tokens: float16 or float32, [N, D].")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT.npz", help="Where to write the arrays.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


class Bits(StrEnum):
    """What is matched: 4-bit tokens, or the floats themselves."""

    four = "4"
    floats = "float"


def quantize(
    tokens: Tokens, output: Output, scale_group: ScaleGroup = 1, as_json: Json = False
) -> None:
    """Quantise tokens to 4 bits a channel, as the engine does.

    OUT.npz holds q (uint8, N x D, 0..15), step (float32, value of one level), weight (uint16,
    what a squared difference of levels counts) and order (int64, the input channel at each
    position).

    Example: `orbis quantize tokens.npy --scale-group 16 -o quantized.npz`
    """
    import numpy as np

    from software.library.files import check_outputs, save_arrays
    from software.library.npy import load_tokens

    check_outputs([output], inputs=[tokens])
    matrix = load_tokens(tokens)
    from golden.qe import quantize as quantize_tokens

    found = quantize_tokens(matrix, scale_group=scale_group)
    save_arrays(
        output,
        {
            "q": found.q.numpy(),
            "step": found.step.numpy(),
            "weight": found.weight.numpy().astype(np.uint16),
            "order": found.order.numpy(),
        },
    )
    count, channels = found.q.shape
    weight = found.weight
    summary: dict[str, Any] = {
        "tokens": count,
        "channels": channels,
        "scale_group": scale_group,
        "constant_channels": int((found.step == 0).sum()),
        "weight_least": int(weight.min()),
        "weight_mean": round(float(weight.double().mean()), 3),
        "output": str(output),
    }
    (print_json if as_json else print_summary)(summary)


def match(
    tokens: Tokens,
    num_dst: Annotated[int, typer.Option("--num-dst", metavar="M", help="Dst tokens, 1..N-1.")],
    reduce: Annotated[
        int, typer.Option("--reduce", metavar="K", help="Src tokens to reduce, 0..N-M.")
    ],
    output: Output,
    backend: Annotated[
        str,
        typer.Option(
            metavar="golden|rtl|fpga:PORT",
            help="The golden model, the simulated engine, or that of a board behind a serial port"
            " (fpga:PORT@BAUD for another baud rate than the default one).",
        ),
    ] = "golden",
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Seed of the random first dst; 0 by default.")
    ] = None,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread",
            help="First dst that spread over the tokens, farthest first,"
            " of which only one is random.",
        ),
    ] = MatchOptions.spread,
    init: Annotated[
        Path | None,
        typer.Option(metavar="DST.npy", help="First dst instead: M distinct token indices."),
    ] = None,
    epsilon: Annotated[
        float, typer.Option(help="Least relative change of the total loss that goes on.")
    ] = MatchOptions.epsilon,
    max_iterations: Annotated[int, typer.Option(help="Most pairings.")] = (
        MatchOptions.max_iterations
    ),
    bits: Annotated[Bits, typer.Option(help="4-bit tokens, or floats as they are.")] = Bits.four,
    scale_group: ScaleGroup = 1,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="The engine's sizes (see orbis presets); by default demo, or those of the board."
            " Named with the golden backend, it holds that to the same capacity.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Match tokens: find M dst and the K src that cost least to replace by one.

    OUT.npz holds src and dst (int64, the K pairs), loss (their exact integer distances, or
    float32 with --bits float), medoids (int64, the M dst in slot order), loss_history (the sum
    of all losses at each pairing), iterations (pairings done), and from an engine cycles,
    stage_cycles and stages (their names).

    Example: `orbis match tokens.npy --num-dst 128 --reduce 194 -o pairs.npz`

    The same on the simulated engine: `orbis match tokens.npy --num-dst 128 --reduce 194
    --backend rtl -o pairs.npz`

    And on a board (see `orbis fpga`): `orbis match tokens.npy --num-dst 16 --reduce 24 --backend
    fpga:/dev/ttyUSB0 -o pairs.npz`
    """
    from software.library.files import check_outputs, save_arrays
    from software.library.npy import load_init, load_tokens

    if init is not None and seed is not None:
        raise ValueError(f"--seed {seed} and --init {init} exclude each other: give one of them.")
    if init is not None and spread:
        raise ValueError(f"--spread and --init {init} exclude each other: give one of them.")
    options = MatchOptions(
        seed=MatchOptions.seed if seed is None else seed,
        spread=spread,
        epsilon=epsilon,
        max_iterations=max_iterations,
    )
    check_outputs([output], inputs=[tokens, *([init] if init is not None else [])])
    if init is not None:
        options = replace(options, init=load_init(init))
    matrix = load_tokens(tokens)
    from software.library.backends import make_backend
    from software.library.backends.clocked_match import ClockedMatch

    with console.status("Matching.") as status:
        matcher = make_backend(
            backend,
            bits=4 if bits is Bits.four else None,
            scale_group=scale_group,
            preset=preset,
            progress=lambda cycles, pairings: status.update(
                f"Matching: {cycles:,} cycles, {pairings} pairings."
            ),
        )
        begun = time.perf_counter()
        found = matcher.match(matrix, num_dst, reduce, options)
        seconds = time.perf_counter() - begun
    save_arrays(output, _arrays(found))
    summary: dict[str, Any] = {
        "backend": backend,
        "tokens": matrix.shape[0],
        "channels": matrix.shape[1],
        "num_dst": num_dst,
        "reduce": reduce,
        "iterations": found.iterations,
        "loss_history": list(found.loss_history),
        "reduced_loss": found.loss.sum().item(),
        "seconds": round(seconds, 3),
    }
    if isinstance(found, ClockedMatch):
        summary["cycles"] = found.cycles
        summary["stage_cycles"] = found.stage_cycles
    summary["output"] = str(output)
    (print_json if as_json else print_summary)(summary)


def _arrays(found: "Match") -> dict[str, Any]:
    """The arrays of OUT.npz."""
    import numpy as np

    from software.library.backends.clocked_match import ClockedMatch

    exact = not found.loss.is_floating_point()
    arrays: dict[str, Any] = {
        "src": found.src.numpy(),
        "dst": found.dst.numpy(),
        "loss": found.loss.numpy(),
        "medoids": found.medoids.numpy(),
        "loss_history": np.array(found.loss_history, dtype=np.int64 if exact else np.float64),
        "iterations": found.iterations,
    }
    if isinstance(found, ClockedMatch):
        stages = found.stage_cycles
        arrays["cycles"] = found.cycles
        arrays["stage_cycles"] = np.array(list(stages.values()), dtype=np.int64)
        arrays["stages"] = np.array(list(stages))
    return arrays
