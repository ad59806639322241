"""The ``orbis`` command."""

from importlib.metadata import version
from typing import Annotated

import typer

from software.commands import (
    area,
    cycles,
    evaluate,
    explore,
    fpga,
    generate,
    libraries,
    match,
    plan,
    statistics,
    tokens,
    video,
)
from software.commands.process import prepare
from software.commands.refusal import RefusingGroup
from software.library.terminal import print_line

app = typer.Typer(
    cls=RefusingGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Bad input ends a command with one sentence and exit code 2; ORBIS_TRACEBACK=1 shows"
    " where it came from.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"orbis {version('orbis')}")
        raise typer.Exit


@app.callback()
def orbis(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Reduce the tokens of video diffusion transformers, with a matching engine in hardware.

    The engine's Verilog comes from `orbis verilog`, its numbers from `orbis match` (with
    `--backend rtl` from the simulated RTL itself), and what it does to a video from `orbis video`.
    """


app.command()(match.quantize)
app.command()(match.match)
app.command()(generate.verilog)
app.command()(generate.presets)
app.command()(area.area)
app.command()(fpga.fpga)
app.command()(libraries.libraries)
app.command()(video.video)
app.command()(video.train)
app.command()(evaluate.evaluate)
app.command()(plan.plan)
app.command()(tokens.tokens)
app.command()(statistics.statistics)
app.command()(cycles.cycles)
app.command()(explore.explore)


def main() -> None:
    """Run the command line of this process."""
    prepare()
    app()
