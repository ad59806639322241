"""``orbis area``: how big and how fast a configuration is, and where the area goes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hw.config import DEFAULT_PRESET
from software.commands.options import Preset
from software.library.terminal import (
    console,
    print_line,
    print_summary,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from hw.emit.rtlil import RtlilModule
    from synth.liberty import Library
    from synth.mapped import MappedDesign
    from synth.mapping import Flow

_LEAST_SHARE = 0.01
_LIBERTY = ("*.lib", "*.lib.gz")


def area(
    preset: Preset = DEFAULT_PRESET,
    scale_group: Annotated[
        int | None, typer.Option(metavar="G", help="1 or the preset's channel lanes.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="U", help="List one unit alone, such as dau or topk.")
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(metavar="F", help="Liberty file of a real library, gzipped or not, or a folder"
                     " of them; several times for several files. A small one is built in."),
    ] = None,
    period: Annotated[
        float, typer.Option(metavar="NS", help="Clock period that each module is mapped for.")
    ] = 1.0,
    flat: Annotated[
        bool, typer.Option("--flat", help="Make all one module first: minutes longer, but paths and"
                           " optimisation cross modules.")
    ] = False,
    joined: Annotated[
        bool, typer.Option("--joined", help="Also join the modules as they were mapped, size all"
                           " as one, and time the paths across modules.")
    ] = False,
    full_adders: Annotated[
        bool, typer.Option("--full-adders", help="Use the library's full adders: smaller, but the"
                           " modules that hold some are not timed.")
    ] = False,
    json_output: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write every figure as JSON.")
    ] = None,
    plot_output: Annotated[
        Path | None, typer.Option("--plot", metavar="OUT", help="Draw where the area goes, PNG.")
    ] = None,
) -> None:  # fmt: skip
    """Map the engine to a cell library with Yosys, and add up its area and longest paths.

    Each different module is mapped once and counted by its instances; memories are SRAM by a model
    of their shape. The table lists modules of 1 % and more. What a module came to is kept, so that
    only what changed is mapped again.

    Example: `orbis area --preset demo --plot build/area.png`
    """
    from software.library.extras import require

    require("synth", *([] if plot_output is None else ["study"]))
    from hw.emit.memories import FLIP_FLOP_WORDS
    from hw.emit.verilog import modules_of
    from hw.engine import DatmEngine
    from software.library.backends.presets import preset_config
    from software.library.files import check_outputs, replacing, write_json
    from synth import report
    from synth.builtin import builtin_library
    from synth.flow import TOP, find_unit
    from synth.joined import join
    from synth.liberty import read_library
    from synth.mapping import Flow
    from synth.scaling import BUDGET_SHARE

    if joined and (flat or full_adders or unit is not None):
        raise ValueError("--joined is of the whole engine, without --flat, --full-adders, --unit.")
    config = preset_config(preset, scale_group)
    flow = Flow(period, flat, full_adders)
    files = [file for path in liberty or [] for file in liberty_files(path)]
    outputs = [path for path in (json_output, plot_output) if path is not None]
    check_outputs(outputs, inputs=files)
    library = read_library(files) if files else builtin_library()
    with console.status("Writing the engine's netlist."):
        modules = modules_of(DatmEngine(config), TOP)
    top = TOP if unit is None else find_unit(modules, unit)
    design = map_with_progress(modules, library, flow, top, with_netlist=joined)
    whole = None
    if joined:
        with console.status("Joining the modules."), yosys_refusals():
            whole = join(design)
    listed = report.rows(design)
    if json_output is not None:
        made_from = {
            "preset": preset,
            "scale_group": config.scale_group,
            "unit": unit,
            "period_ns": period,
            "flat": flat,
            "full_adders": full_adders,
            "liberty": [path.name for path in liberty or []] or ["built in"],
            "flip_flop_words": FLIP_FLOP_WORDS,
        }
        write_json(json_output, {"made_from": made_from, **report.as_json(design, whole)})
    if plot_output is not None:
        with replacing(plot_output) as partial:
            report.plot(partial, design)
    print_table(
        ("module", "instances", "um2 each", "um2", "share", "flip-flops", "SRAM bits", "ps",
         "longest path"),
        (
            (
                row.module, row.instances, round(row.area), round(row.total),
                f"{row.share:.1%}", row.flip_flops, row.sram_bits,
                "" if row.delay is None else round(row.delay), row.path,
            )
            for row in listed
            if unit is not None or row.share >= _LEAST_SHARE or row.sram_bits
        ),
    )  # fmt: skip
    summary = report.summarise(design)
    lines = {
        "library": f"{summary.library} (NAND2 {summary.nand2} um2)",
        "cells": f"{summary.logic:,.0f} um2, {summary.kge:,.1f} kGE, {summary.flip_flops:,}"
        " flip-flops",
        "SRAM": f"{summary.sram_bits:,} bits"
        + (f", {summary.sram:,.0f} um2 by the model" if summary.sram is not None else ""),
        "longest path": f"{summary.slowest:.0f} ps{'' if flat else ' inside one module'}"
        + (f"; {summary.untimed} with full adders are not timed" if summary.untimed else ""),
    }
    for node, mm2 in summary.scaled_mm2.items():
        lines[f"all, {node} nm"] = f"{mm2:.4f} mm2"
    if summary.share_of_instance is not None and unit is None:
        lines["of an ORBIS instance"] = (
            f"{summary.share_of_instance:.2%} (the paper engine's budget: {BUDGET_SHARE:.1%})"
        )
    if whole is not None:
        lines["joined"] = (
            f"{whole.area:,.0f} um2 of cells, sized as one; longest path {whole.path.delay:.0f} ps,"
            f" {whole.path.start} to {whole.path.end}"
        )
        for node, mm2 in report.joined_as_json(design, whole)["scaled_mm2"].items():
            lines[f"joined, {node} nm"] = f"{mm2:.4f} mm2"
    print_summary(lines)
    for caveat in report.caveats(design, whole):
        print_line(f"* {caveat}")


def liberty_files(path: Path) -> list[Path]:
    """A Liberty file, or all of a folder in the order of their names.

    Raises:
        ValueError: a folder that holds none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for pattern in _LIBERTY for file in path.glob(pattern))
    if not files:
        raise ValueError(f"folder {path} holds no Liberty file ({' or '.join(_LIBERTY)}).")
    return files


def map_with_progress(
    modules: "Sequence[RtlilModule]",
    library: "Library",
    flow: "Flow",
    top: str,
    *,
    with_netlist: bool = False,
) -> "MappedDesign":
    """Map a design with a bar that counts the modules, where stderr is a terminal."""
    from software.library.simulator.build import cache_folder
    from synth.flow import map_design
    from synth.mapped import short_path

    with progress_bar(f"Mapping to {library.name}", None) as advance:

        def ended(name: str, number: int, total: int) -> None:
            advance(f"Mapped to {library.name}: {short_path(name)}", number, total)

        kept = cache_folder() / "area"
        with yosys_refusals():
            return map_design(
                modules, library, top=top, flow=flow, cache=kept, ended=ended,
                with_netlist=with_netlist,
            )  # fmt: skip


@contextmanager
def yosys_refusals() -> Iterator[None]:
    """Tell in a sentence what Yosys or ABC refuses."""
    from software.library.errors import SetupError
    from synth.yosys import YosysError

    try:
        yield
    except YosysError as error:
        raise SetupError(f"Yosys refused: {' '.join(str(error).split())}") from error
