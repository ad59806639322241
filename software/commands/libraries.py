"""``orbis libraries``: the engine's units in several cell libraries, side by side."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from hw.config import DEFAULT_PRESET
from software.commands.area import liberty_files, map_with_progress
from software.commands.options import Folder, Preset
from software.library.terminal import console, print_line, print_table


def libraries(
    library: Annotated[
        list[Path],
        typer.Option("--library", "-l", metavar="F", help="A Liberty file, gzipped or not, or a"
                     " folder of a library's files; once a library."),
    ],
    output: Folder,
    preset: Preset = DEFAULT_PRESET,
    period: Annotated[
        float, typer.Option(metavar="NS", help="Clock period that each module is mapped for.")
    ] = 1.0,
) -> None:  # fmt: skip
    """Map the engine to the built-in library and to others, and tabulate its units' areas.

    Writes libraries.md and libraries.json. Minutes a library, the first time.

    Example: `orbis libraries -l nangate45.lib.gz -l asap7/ -l sky130.lib.gz -o docs`
    """
    from software.library.extras import require

    require("synth")
    from hw.emit.verilog import modules_of
    from hw.engine import DatmEngine
    from software.library.backends.presets import preset_config
    from software.library.files import check_outputs, output_folder, write_json, write_text
    from synth import comparison
    from synth.builtin import builtin_library
    from synth.flow import TOP
    from synth.liberty import read_library
    from synth.mapping import Flow

    flow = Flow(period)
    config = preset_config(preset, None)
    files = [liberty_files(path) for path in library]
    found = [builtin_library(), *(read_library(each) for each in files)]
    folder = output_folder(output)
    page, data = folder / "libraries.md", folder / "libraries.json"
    check_outputs([page, data], inputs=[file for each in files for file in each])
    with console.status("Writing the engine's netlist."):
        modules = modules_of(DatmEngine(config), TOP)
    designs = [map_with_progress(modules, each, flow, TOP) for each in found]
    units = comparison.compare(designs)
    named = "".join(f" -l {path.name}" for path in library)
    command = f"orbis libraries --preset {preset} --period {period:g}{named} -o {output.name}"
    title = f"The {preset} engine's units in {len(found)} libraries"
    write_text(page, comparison.as_markdown(designs, units, title, command))
    made_from = {
        "preset": preset,
        "period_ns": period,
        "sha256": {
            path.name: sha256(content).hexdigest()
            for paths, read in zip(files, found[1:], strict=True)
            for path, content in zip(paths, read.files, strict=True)
        },
    }
    content = {"made_from": made_from, **comparison.as_json(designs, units)}
    write_json(data, content)
    print_table(
        ("unit", "instances", *(f"{each.name}, um2" for each in found)),
        ((unit.unit, unit.instances, *map(round, unit.areas)) for unit in units),
    )
    print_line(f"Written: {page}, {data}")
