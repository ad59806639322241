"""``orbis area``: how big and how fast a configuration is, and where the area goes."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from software.commands.output import print_summary, print_table
from software.terminal import console

_LEAST_SHARE = 0.01


def area(
    preset: Annotated[
        str, typer.Option(metavar="P", help="The engine's sizes (see orbis presets).")
    ] = "demo",
    scale_group: Annotated[
        int | None, typer.Option(metavar="G", help="1 or the preset's channel lanes.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="U", help="List one unit alone, such as dau or topk.")
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(metavar="F", help="Liberty file of a real library, gzipped or not; give the"
                     " option several times for several files. A small one is built in."),
    ] = None,
    period: Annotated[
        float, typer.Option(metavar="NS", help="Clock period that gates are sized for.")
    ] = 1.0,
    json_output: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write every figure as JSON.")
    ] = None,
    plot_output: Annotated[
        Path | None, typer.Option("--plot", metavar="OUT", help="Draw where the area goes, PNG.")
    ] = None,
) -> None:  # fmt: skip
    """Map the engine to a cell library with Yosys, and add up its area and longest paths.

    Each different module is mapped once and counted by its instances; memories are SRAM by a model
    of their shape. The table lists modules of 1 % and more.

    Example: `orbis area --preset demo --plot build/area.png`
    """
    from hw.engine import DatmEngine
    from software.backends.presets import preset_config
    from software.errors import SetupError
    from software.files import replacing, write_json
    from synth import report
    from synth.builtin import write_builtin
    from synth.flow import FLIP_FLOP_WORDS, map_design
    from synth.scaling import BUDGET_SHARE
    from synth.yosys import YosysError

    config = preset_config(preset, scale_group)
    with tempfile.TemporaryDirectory() as folder:
        builtin = Path(folder) / "builtin.lib"
        write_builtin(builtin)
        with console.status("Mapping every module to the cell library; this takes minutes."):
            try:
                design = map_design(DatmEngine(config), liberty or [builtin], period)
            except YosysError as error:
                raise SetupError(f"Yosys refused: {error}") from error
    listed = report.rows(design) if unit is None else report.unit_rows(design, unit)
    if json_output:
        made_from = {
            "preset": preset,
            "scale_group": config.scale_group,
            "period_ns": period,
            "liberty": [path.name for path in liberty or []] or ["built in"],
            "flip_flop_words": FLIP_FLOP_WORDS,
        }
        write_json(json_output, {"made_from": made_from, **report.as_json(design)})
    if plot_output:
        with replacing(plot_output) as partial:
            report.plot(partial, design)
    print_table(
        ("module", "instances", "um2 each", "um2", "share", "flip-flops", "SRAM bits", "ps"),
        (
            (
                row.module, row.instances, round(row.area), round(row.total),
                f"{row.share:.1%}", row.flip_flops, row.sram_bits, round(row.delay),
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
        "slowest module": f"{summary.slowest:.0f} ps inside one module",
    }
    for node, mm2 in summary.scaled_mm2.items():
        lines[f"all, {node} nm"] = f"{mm2:.4f} mm2"
    if summary.share_of_instance is not None:
        lines["of an ORBIS instance"] = (
            f"{summary.share_of_instance:.2%} (the paper engine's budget: {BUDGET_SHARE:.1%})"
        )
    print_summary(lines)
    for caveat in report.CAVEATS:
        typer.echo(f"* {caveat}")
