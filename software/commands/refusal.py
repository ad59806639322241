"""How the ``orbis`` command refuses: one sentence on stderr, exit code 2, no traceback.

Libraries raise an error with a sentence; the command line is the one place that turns it into an
exit code.
"""

import os
from typing import Any

import typer
from typer.core import TyperGroup

from software.library.errors import SetupError, SimulationError

EXIT_CODE = 2
TRACEBACK = "ORBIS_TRACEBACK"
"""Environment variable: 1 shows the traceback of a refusal, for those who look for its cause."""


def sentence(error: BaseException) -> str:
    """What to tell the user of ``error``: its own words, in one line that ends in a stop."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}."
    return " ".join(str(error).split()).rstrip(".") + "."


class RefusingGroup(TyperGroup):
    """The commands of ``orbis``: bad input ends any of them with a sentence and `EXIT_CODE`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, MemoryError, SetupError, SimulationError) as error:
            # A closed pipe (orbis ... | head) is no error of the user's.
            if isinstance(error, BrokenPipeError) or os.environ.get(TRACEBACK) == "1":
                raise
            typer.echo(f"orbis: {sentence(error)}", err=True)
            raise typer.Exit(EXIT_CODE) from error
