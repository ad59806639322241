"""``orbis verilog`` and ``orbis presets``: the engine's RTL and its sizes."""

from typing import Annotated, Any

import typer

from hw.config import DEFAULT_PRESET
from software.commands.options import Folder, Preset
from software.library.terminal import print_json, print_summary, print_table


def verilog(
    output: Folder,
    preset: Preset = DEFAULT_PRESET,
    scale_group: Annotated[
        int | None,
        typer.Option(metavar="G", help="1 or the preset's channel lanes; the preset's own if not"
                     " given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:  # fmt: skip
    """Write the engine's Verilog, a JSON that describes it, and a C header.

    DIR/orbis_P.v is the same to the byte on every run. DIR/orbis_P.json lists its ports, its
    config and the config's hash, the register map and the regions of memory;
    DIR/orbis_registers.h is the register map for a driver in C.

    Example: `orbis verilog --preset demo -o build/verilog`
    """
    from software.library.backends.presets import preset_config
    from software.library.errors import SetupError
    from software.library.extras import require
    from software.library.files import check_outputs, output_folder, write_text

    require("rtl")
    config = preset_config(preset, scale_group)
    folder = output_folder(output)
    name = f"orbis_{preset}"
    source, description = folder / f"{name}.v", folder / f"{name}.json"
    header = folder / "orbis_registers.h"
    check_outputs([source, description, header])
    from hw.emit.maps import c_header
    from hw.emit.toolchain import ToolError
    from hw.emit.verilog import describe, to_verilog
    from hw.engine import DatmEngine

    engine = DatmEngine(config)
    try:
        text = to_verilog(engine, name)
    except ToolError as error:
        raise SetupError(f"{error}.") from error
    texts = {
        source: text,
        description: describe(engine, config, name),
        header: c_header(),
    }
    for path, content in texts.items():
        write_text(path, content)
    summary: dict[str, Any] = {
        "preset": preset,
        "config_hash": f"{config.hash:#010x}",
        "lanes": config.lanes,
        "verilog": str(source),
        "description": str(description),
        "header": str(header),
    }
    (print_json if as_json else print_summary)(summary)


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
