"""``orbis tokens``: tokens of real video, as large as a published model's."""

from pathlib import Path
from typing import Annotated, Any

import typer

from software.library.terminal import print_json, print_summary, progress_bar


def tokens(
    frames: Annotated[int, typer.Option(metavar="T", help="Tokens along time, 4 frames each.")],
    rows: Annotated[int, typer.Option(metavar="H", help="Tokens down, 16 pixels each.")],
    columns: Annotated[int, typer.Option(metavar="W", help="Tokens across, 16 pixels each.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="TOKENS.npy", help="Where to write them.")
    ],
    clip: Annotated[
        str, typer.Option(metavar="NAME", help="bigbuckbunny, bikes or carphone.")
    ] = "bigbuckbunny",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Cut a video into tokens: patches of pixels, to match at the sizes of published models.

    TOKENS.npy holds float16 [N, 3072] with N = T x H x W, in frame, row, column order: the pixels
    of 4 frames x 16 rows x 16 columns x 3 colours, from 0 to 1. They are cut from the middle of the
    clip's first frames, and are the same to the byte on every run.

    Example, of CogVideoX-5B's size: `orbis tokens --frames 13 --rows 30 --columns 45 -o tokens.npy`
    """
    from software.library.extras import require

    require("study", "video")
    import numpy as np

    from software.demo.video_tokens import TokenGrid, find_clip, video_tokens
    from software.library.files import check_outputs, replacing

    grid = TokenGrid(frames, rows, columns)
    find_clip(clip)
    check_outputs([output])
    with progress_bar("decode", frames) as advance:
        found = video_tokens(clip, grid, advance)
    with replacing(output) as partial, partial.open("wb") as file:
        np.save(file, found)
    summary: dict[str, Any] = {
        "clip": clip,
        "frames": frames,
        "rows": rows,
        "columns": columns,
        "tokens": found.shape[0],
        "channels": found.shape[1],
        "output": str(output),
    }
    (print_json if as_json else print_summary)(summary)
