"""Writes the measured figures into README.md: ``python -m software.readme`` (``make figures``).

README holds marks, ``<!-- figures: NAME -->`` up to ``<!-- end -->``; what stands between them
comes from the JSON files in docs/, which the commands made that each section names. A test holds
the marked sections to them, so that no figure in one is typed by hand.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from textwrap import fill
from typing import Any

from software.files import write_text
from synth.scaling import BUDGET_SHARE, INSTANCE_MM2_28NM

ROOT = Path(__file__).parent.parent
_SECTION = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(readme: str, docs: Path) -> str:
    """The text of README with every section made anew.

    Args:
        readme: its present text.
        docs: folder of the JSON files.

    Raises:
        ValueError: a mark of an unknown name.
    """

    def section(found: re.Match[str]) -> str:
        name = found[2]
        if name not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise ValueError(f"README marks figures {name!r}; it must be one of {known}.")
        return f"{found[1]}{_SECTIONS[name](docs)}\n{found[3]}"

    return _SECTION.sub(section, readme)


def _load(docs: Path, name: str) -> Any:
    return json.loads((docs / f"{name}.json").read_text())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _bullet(text: str) -> str:
    return _wrapped(f"* {text}", "  ")


def _sheet(docs: Path) -> str:
    video = _load(docs, "video")
    return _wrapped(
        f"*{video['steps']} steps, {video['full_steps']} of them full, {video['ratio']:.0%} of the"
        " tokens dropped in the others, every match computed by the simulated RTL:"
        f" {video['psnr']:.1f} dB to the unreduced video. Made by `make`.*"
    )


def _quality(docs: Path) -> str:
    quality = _load(docs, "quality")
    methods = quality["methods"]
    shown = sorted(methods, key=lambda name: ("plain drop" in name, methods[name]["psnr"]))
    rows = [
        (name, f"{methods[name]['psnr']:.1f}", f"{methods[name]['step_psnr']:.1f}")
        for name in shown
    ]
    table = _table(("matching", "PSNR of the whole run, dB", "PSNR of one reduced step, dB"), rows)
    return f"{table}\n\n" + "\n".join(map(_bullet, _findings(methods, quality["cosines"])))


def _findings(methods: dict[str, Any], cosines: dict[str, float]) -> Iterator[str]:
    """What the table of matchings shows, a sentence or two each."""
    datm, bsm = methods["DATM 4-bit"], methods["BSM on output"]

    def better(other: str, figure: str = "psnr") -> float:
        """DB that DATM 4-bit is above another matching."""
        return float(datm[figure] - methods[other][figure])

    gains = [a - b for a, b in zip(datm["runs"], bsm["runs"], strict=True)]
    error = stdev(gains) / len(gains) ** 0.5
    yield (
        f"DATM 4-bit is {mean(gains):.2f} dB above BSM on output (standard error {error:.2f} dB"
        f" over {len(gains)} runs), and {better('DATM 4-bit on input'):.1f} dB above itself on"
        f" input. Four bits cost {-better('DATM float'):.1f} dB."
    )
    yield (
        "**Plain drop** is the paper's reduction: the src rows leave Q, K and V. It costs"
        f" {better('DATM 4-bit, plain drop'):.0f} dB. All other rows are with *proportional"
        " attention*, our default: a dst's key counts once for each token that it stands for,"
        " so that dropping exact copies changes nothing (`--no-proportional` turns it off)."
    )
    yield (
        f"Random dst are only {better('random dst on output'):.1f} dB below DATM over whole runs,"
        f" {better('random dst on output', 'step_psnr'):.1f} dB over one step: they are drawn anew"
        " at each full step, so their errors probably average out where DATM's return in the same"
        " places."
    )
    yield (
        "Similarity maps, cosine with the true output's: the previous step's output"
        f" {cosines['previous_output']:.3f}, the layer's input {cosines['input']:.3f}."
    )


def _bench(docs: Path) -> str:
    rates = _load(docs, "bench")["cycles_per_second"]
    header = [f"{name} ({entry['lanes']} lanes)" for name, entry in rates.items()]
    simulators = list(next(iter(rates.values()))["rates"])
    rows = []
    for simulator in simulators:
        cells = []
        for entry in rates.values():
            rate, least = entry["rates"][simulator], entry["rates"]["Amaranth"]
            cells.append(f"{rate:,.0f} ({rate / least:,.0f})")
        rows.append((simulator, *cells))
    return _table(("cycles a second (times Amaranth's)", *header), rows)


def _layer(docs: Path) -> str:
    layer = _load(docs, "layer")
    stages = ", ".join(f"{cycles:,} {stage}" for stage, cycles in layer["stage_cycles"].items())
    return _wrapped(
        f"{layer['tokens']} tokens of {layer['channels']} channels, M = {layer['num_dst']},"
        f" {layer['iterations']} pairings: {layer['cycles']:,} cycles ({stages}),"
        f" {layer['seconds']:.2f} s of simulation once the simulator is built."
    )


def _area(docs: Path) -> str:
    demo, paper = _load(docs, "area"), _load(docs, "area_paper")
    flat = _load(docs, "area_flat")["summary"]
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
    difference = _wrapped(
        f"Flattened, the demo engine has {whole:,.0f} um2, {abs(1 - whole / apart):.1%}"
        f" {'less' if whole < apart else 'more'} than its units times their instances, with"
        f" {fewer:,} flip-flops fewer, and its longest path takes {flat['slowest'] / 1000:.2f} ns."
        " Only then is simplified what crosses a module's edge: a constant input, an output that"
        f" nobody reads, a register that neighbours repeat. {demo['summary']['late']} of the"
        f" {len(demo['modules'])} modules miss {demo['made_from']['period_ns']:g} ns and are mapped"
        " for delay, the others for area; flattened, all is mapped for delay."
    )
    share = paper["summary"]["share_of_instance"]
    budget = _wrapped(
        f"The paper preset is {share / BUDGET_SHARE:.1f} times the paper engine's budget of"
        f" {BUDGET_SHARE:.1%} of an instance: its tables (dst list, links) are on-chip SRAM of full"
        " size. Its cells alone are within it."
    )
    return f"{_table(header, rows)}\n\n{budget}\n\n{difference}"


def _scaled(summary: dict[str, Any], node: str) -> str:
    return f"{summary['scaled_mm2'][node]:.3f}"


def _slowest(modules: list[dict[str, Any]]) -> str:
    module = max(modules, key=lambda module: module["delay"] or 0)
    return f"`{module['module']}`, {module['start']['source']} to {module['end']['source']}"


def _libraries(docs: Path) -> str:
    found = _load(docs, "libraries")
    rows = [
        (entry["name"], f"{entry['nand2']:g}", f"{entry['area']:,.0f}", f"{entry['kge']:,.0f}",
         f"{entry['slowest_ps'] / 1000:.2f}")
        for entry in found["libraries"]
    ]  # fmt: skip
    table = _table(("library", "NAND2, um2", "cells, um2", "kGE", "slowest module, ns"), rows)
    if found["largest_deviation"] is None:
        return table
    summary = _wrapped(
        f"Each of the {len(found['units'])} units is within {found['largest_deviation']:.1%}"
        f" between {' and '.join(found['compared'])} ([docs/libraries.md](docs/libraries.md)); the"
        " built-in library's cells were chosen on this design, so that says little of others."
    )
    return f"{table}\n\n{summary}"


_SECTIONS: dict[str, Callable[[Path], str]] = {
    "sheet": _sheet,
    "quality": _quality,
    "bench": _bench,
    "layer": _layer,
    "area": _area,
    "libraries": _libraries,
}


def main() -> None:
    """Refresh README.md."""
    path = ROOT / "README.md"
    write_text(path, render(path.read_text(), ROOT / "docs"))


if __name__ == "__main__":
    main()
