"""``orbis fpga``: the bitstream of a board that matches."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hw.fpga.protocol import BAUD
from software.commands.options import Folder
from software.library.terminal import console, print_json, print_summary


class Board(StrEnum):
    """The boards that bitstreams are made for."""

    ulx3s = "ulx3s"


def fpga(
    board: Annotated[
        Board, typer.Option(help="The board: ulx3s is the ULX3S with an ECP5-85F.")
    ] = Board.ulx3s,
    preset: Annotated[
        str, typer.Option(metavar="P", help="The engine's sizes (see orbis presets).")
    ] = "tiny",
    scale_group: Annotated[
        int | None, typer.Option(metavar="G", help="1 or the preset's channel lanes.")
    ] = None,
    baud: Annotated[
        int, typer.Option(metavar="B", help="Bits a second on the serial line to the host.")
    ] = BAUD,
    output: Folder = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make the bitstream of a board: an engine, its memory, and a serial link to a host.

    DIR gets orbis_P.bit, for the board's loader, and orbis_P_fpga.json, the report: what of the
    device is used, how fast a clock the design is good for, and what made it. It takes some
    minutes. docs/fpga.md says how the board is then used, with `orbis match --backend fpga:PORT`.

    Example: `orbis fpga --board ulx3s --preset tiny -o build/`
    """
    from software.library.backends.presets import preset_config
    from software.library.errors import SetupError
    from software.library.extras import require
    from software.library.files import check_outputs, output_folder, write_bytes, write_json

    require("fpga")
    from tempfile import TemporaryDirectory

    from hw.emit.toolchain import ToolError
    from synth.fpga import SEED, build

    config = preset_config(preset, scale_group)
    folder = output_folder(output)
    bitstream, report = folder / f"orbis_{preset}.bit", folder / f"orbis_{preset}_fpga.json"
    check_outputs([bitstream, report])
    with TemporaryDirectory() as work, console.status("Writing the design.") as status:
        try:
            built = build(
                config, board.value, baud, Path(work),
                lambda tool: status.update(f"Making the bitstream: {tool} works."),
            )  # fmt: skip
        except ToolError as error:
            raise SetupError(f"{error}.") from error
    made_from = {
        "board": board.value,
        "preset": preset,
        "scale_group": config.scale_group,
        "config_hash": f"{config.hash:#010x}",
        "baud": baud,
        "seed": SEED,
    }
    whole = {"made_from": made_from, "config": config.as_dict(), **built.as_dict()}
    write_bytes(bitstream, built.content)
    write_json(report, whole)
    summary: dict[str, Any] = whole
    if not as_json:
        summary = {
            "device": f"{built.device}, {board.value}",
            **{name: f"{each.used:,} of {each.available:,}"
               for name, each in built.resources.items()},
            "memory": f"{built.memory_bytes:,} bytes",
            "clock": f"{built.clock_mhz:g} MHz; good for {built.fmax_mhz:g} MHz",
            "longest path": f"{built.path.start} to {built.path.end}:"
            f" {built.path.logic_ns} ns of logic, {built.path.routing_ns} ns of routing",
            "seconds": round(sum(built.seconds.values()), 1),
        }  # fmt: skip
    summary = {**summary, "bitstream": str(bitstream), "report": str(report)}
    (print_json if as_json else print_summary)(summary)
