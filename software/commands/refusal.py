"""How the ``orbis`` command refuses: one sentence on stderr, exit code 2, no traceback.

Libraries raise an error with a sentence; the command line is the one place that turns it into an
exit code.
"""

import os
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from software.library.errors import LinkError, SetupError, SimulationError
from software.library.terminal import printable

EXIT_CODE = 2
TRACEBACK = "ORBIS_TRACEBACK"
"""Environment variable: 1 shows the traceback of a refusal, for those who look for its cause."""


def sentence(error: BaseException) -> str:
    """What to tell the user of ``error``: its own words, in one line that ends in a stop."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}"
    else:
        text = str(error).strip() or type(error).__name__
    return printable(text).rstrip(".") + "."


class RefusingGroup(TyperGroup):
    """The commands of ``orbis``: bad input ends any of them with a sentence and `EXIT_CODE`."""

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; usage that is wrong is told as bad input is, and not in a box."""
        run = partial(
            super().main, args, prog_name, complete_var, False, windows_expand_args, **extra
        )
        if not standalone_mode:
            return run()
        try:
            code = run()
        except typer.TyperException as error:
            _tell(_usage(error))
            code = error.exit_code
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, MemoryError, SetupError, SimulationError, LinkError) as error:
            if os.environ.get(TRACEBACK) == "1":
                raise
            _tell(sentence(error))
            raise typer.Exit(EXIT_CODE) from error


def _usage(error: typer.TyperException) -> str:
    """What to tell of wrong usage; "" where help has been shown instead."""
    text = " ".join(error.format_message().split()).rstrip(".")
    command = getattr(getattr(error, "ctx", None), "command_path", "orbis")
    return printable(f"{text[:1].lower()}{text[1:]}; see {command} --help.") if text else ""


def _tell(text: str) -> None:
    with suppress(OSError):  # of a stderr that nobody reads; the exit code tells
        if text:
            typer.echo(f"orbis: {text}", err=True)
