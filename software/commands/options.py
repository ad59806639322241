"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from software.library.config import Restore, Targets

Folder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to.")]
Preset = Annotated[str, typer.Option(metavar="P", help="The engine's sizes (see orbis presets).")]
Weights = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of another model than the shipped one.")
]
ScaleGroup = Annotated[
    int,
    typer.Option(metavar="G", help="Channels that share a scale; 1 is a scale per channel."),
]
Ratio = Annotated[
    float,
    typer.Option(metavar="R", help="Share of the video tokens that reduced steps drop."),
]
TargetsOption = Annotated[Targets, typer.Option(help="What is reduced: Q, K and V, or Q alone.")]
Restores = Annotated[
    Restore,
    typer.Option(help="What a dropped token gets: its dst's result; that and how the two differed"
                 " at the full step; or its own of the full step."),
]  # fmt: skip
RcSteps = Annotated[int, typer.Option(metavar="K", help="Reduced steps after each full one.")]
WarmUp = Annotated[
    float, typer.Option(metavar="K", help="Full steps first; below 1, a share of all, rounded up.")
]
