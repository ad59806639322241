"""How big the engine is: what ``orbis area`` and ``orbis libraries`` found."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from software.study.readme.text import load, table, wrapped
from synth.scaling import BUDGET_SHARE, INSTANCE_MM2_28NM


def area(docs: Path) -> str:
    """The engine of two presets, its budget, and what flattening changes."""
    demo, paper = load(docs, "area"), load(docs, "area_paper")
    flat = load(docs, "area_flat")["summary"]
    summaries = [demo["summary"], paper["summary"]]

    def row(title: str, show: Callable[[dict[str, Any]], str]) -> tuple[str, ...]:
        return (title, *(show(summary) for summary in summaries))

    rows = [
        row("cells, um2", lambda s: f"{s['logic']:,.0f}"),
        row("cells, kGE", lambda s: f"{s['kge']:,.0f}"),
        row("flip-flops", lambda s: f"{s['flip_flops']:,}"),
        row("SRAM, bits", lambda s: f"{s['sram_bits']:,}"),
        row("SRAM by a model of its shape, um2", lambda s: f"{s['sram']:,.0f}"),
        *(row(f"all at {node} nm, mm2", partial(_scaled, node=node)) for node in ("45", "28", "7")),
        row(
            f"share of an ORBIS instance ({INSTANCE_MM2_28NM} mm2 in 28 nm), cells",
            lambda s: f"{s['logic_share_of_instance']:.2%}",
        ),
        row("the same, cells and SRAM", lambda s: f"{s['share_of_instance']:.2%}"),
        row("slowest module, ns", lambda s: f"{s['slowest'] / 1000:.2f}"),
    ]
    slowest = [_slowest(area["modules"]) for area in (demo, paper)]
    rows.append(("its longest path", *slowest))
    header = ("", *(f"{a['made_from']['preset']}, G = {a['made_from']['scale_group']}"
                    for a in (demo, paper)))  # fmt: skip
    apart, whole = demo["summary"]["logic"], flat["logic"]
    fewer = demo["summary"]["flip_flops"] - flat["flip_flops"]
    difference = wrapped(
        f"Flattened, the demo engine has {whole:,.0f} um2, {abs(1 - whole / apart):.1%}"
        f" {'less' if whole < apart else 'more'} than its units times their instances, with"
        f" {fewer:,} flip-flops fewer, and its longest path takes {flat['slowest'] / 1000:.2f} ns."
        " Only then is simplified what crosses a module's edge: a constant input, an output that"
        f" nobody reads, a register that neighbours repeat. {demo['summary']['late']} of the"
        f" {len(demo['modules'])} modules miss {demo['made_from']['period_ns']:g} ns and are mapped"
        " for delay, the others for area; flattened, all is mapped for delay."
    )
    share = paper["summary"]["share_of_instance"]
    budget = wrapped(
        f"The paper preset is {share / BUDGET_SHARE:.1f} times the paper engine's budget of"
        f" {BUDGET_SHARE:.1%} of an instance: its tables (dst list, links) are on-chip SRAM of full"
        " size. Its cells alone are within it."
    )
    return f"{table(header, rows)}\n\n{budget}\n\n{difference}"


def _scaled(summary: dict[str, Any], node: str) -> str:
    return f"{summary['scaled_mm2'][node]:.3f}"


def _slowest(modules: list[dict[str, Any]]) -> str:
    module = max(modules, key=lambda module: module["delay"] or 0)
    return f"`{module['module']}`, {module['start']['source']} to {module['end']['source']}"


def libraries(docs: Path) -> str:
    """The demo engine in several libraries, and how far they are apart."""
    found = load(docs, "libraries")
    rows = [
        (entry["name"], f"{entry['nand2']:g}", f"{entry['area']:,.0f}", f"{entry['kge']:,.0f}",
         f"{entry['slowest_ps'] / 1000:.2f}")
        for entry in found["libraries"]
    ]  # fmt: skip
    measured = table(("library", "NAND2, um2", "cells, um2", "kGE", "slowest module, ns"), rows)
    if found["largest_deviation"] is None:
        return measured
    summary = wrapped(
        f"Each of the {len(found['units'])} units is within {found['largest_deviation']:.1%}"
        f" between {' and '.join(found['compared'])} ([docs/libraries.md](docs/libraries.md)); the"
        " built-in library's cells were chosen on this design, so that says little of others."
    )
    return f"{measured}\n\n{summary}"
