"""``orbis verilog`` and ``orbis presets``: the engine's RTL and its sizes."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hw.config import DEFAULT_PRESET
from hw.emit.identifiers import check_identifier
from hw.emit.sdc import DEFAULT_PERIOD_NS, check_period
from software.commands.engine_config import chosen_config
from software.commands.options import Folder
from software.library.terminal import print_json, print_line, print_summary, print_table


def verilog(
    output: Folder,
    preset: Annotated[
        str | None,
        typer.Option(metavar="P", help=f"The engine's sizes (see orbis presets): {DEFAULT_PRESET},"
                     " unless a config is given."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sizes in place of a preset's: a JSON that this command"
                     " wrote, or an object of fields."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Replace a field of the config, such as"
                     " max_dst=128; several times for several fields. `orbis presets --json` has"
                     " them all."),
    ] = None,
    scale_group: Annotated[
        int | None,
        typer.Option(metavar="G", help="1 or the channel lanes; the config's own if not given."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the top module, with which all others and the"
                     " files begin: orbis_P, or as the config's file has it."),
    ] = None,
    period: Annotated[
        float, typer.Option("--period-ns", metavar="NS", help="Clock period for the constraints.")
    ] = DEFAULT_PERIOD_NS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the description.")] = False,
) -> None:  # fmt: skip
    """Write all that a chip or an FPGA needs of the engine: Verilog, constraints, register maps.

    DIR/NAME.v holds the engine, and a file for each shape of memory a module that a macro can
    replace; DIR/NAME.f lists them. DIR/NAME.sdc has the clock, DIR/NAME.rdl the registers as
    SystemRDL, DIR/orbis_registers.h for C, and DIR/NAME.json describes all of it: ports, clock and
    reset, buses, memories, registers, regions, the config and its hash. The files are the same to
    the byte on every run.

    Example: `orbis verilog --preset demo --set max_dst=256 --name matcher -o build/verilog`
    """
    from software.library.errors import SetupError
    from software.library.extras import require
    from software.library.files import check_outputs, output_folder, write_text

    require("rtl")
    from hw.emit.handover import fixed_files, handover

    chosen = chosen_config(preset, config, scale_group, settings or [])
    name = chosen.module if name is None else name
    check_identifier("name", name)
    check_period(period)
    folder = output_folder(output)
    inputs = [] if config is None else [config]
    check_outputs([folder / file for file in fixed_files(name)], inputs)
    from hw.emit.toolchain import ToolError
    from hw.emit.verilog import write_verilog
    from hw.engine import DatmEngine

    engine = DatmEngine(chosen.config)
    try:
        written = write_verilog(engine, name)
    except ToolError as error:
        raise SetupError(f"{error}.") from error
    texts = handover(engine, chosen.config, name, written, period)
    check_outputs([folder / file for file in texts], inputs)
    for file, text in texts.items():
        write_text(folder / file, text)
    if as_json:
        print_json(json.loads(texts[f"{name}.json"]))
        return
    print_summary(
        {
            "module": name,
            "config_hash": f"{chosen.config.hash:#010x}",
            "lanes": chosen.config.lanes,
        }
    )
    for file in texts:
        print_line(f"{folder / file}")


def presets(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every field of every preset as JSON.")
    ] = False,
) -> None:
    """List the engine's presets.

    N, D and M are the most tokens, channels and dst of a job; P, Q and C the dst, src and
    channels that the distance units take a cycle; G the channels that share a scale; bus the bytes
    of a memory beat.
    """
    from hw.config import PRESETS

    if as_json:
        print_json(
            {
                name: {**config.as_dict(), "lanes": config.lanes, "hash": f"{config.hash:#010x}"}
                for name, config in PRESETS.items()
            }
        )
        return
    print_table(
        ("preset", "N", "D", "M", "P", "Q", "C", "lanes", "G", "format", "bus"),
        (
            (
                name, config.max_tokens, config.max_channels, config.max_dst, config.dst_lanes,
                config.src_lanes, config.channel_lanes, config.lanes, config.scale_group,
                config.token_format, config.bus_bytes,
            )
            for name, config in PRESETS.items()
        ),
    )  # fmt: skip
