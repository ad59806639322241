"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to.")]
Preset = Annotated[str, typer.Option(metavar="P", help="The engine's sizes (see orbis presets).")]
Weights = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of another model than the shipped one.")
]
