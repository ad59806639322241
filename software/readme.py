"""Writes the measured figures into README.md: ``python -m software.readme`` (``make figures``).

README holds marks, ``<!-- figures: NAME -->`` up to ``<!-- end -->``; what stands between them
comes from the JSON files in docs/, which the commands made that each section names. A test holds
README to them, so that no figure is typed by hand.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from software.files import write_text

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


def _sheet(docs: Path) -> str:
    video = _load(docs, "video")
    return (
        f"*{video['steps']} steps, {video['full_steps']} of them full, {video['ratio']:.0%} of the"
        " tokens dropped in the others, every match computed by the\n"
        f"simulated RTL: {video['psnr']:.1f} dB to the unreduced video. Made by `make`.*"
    )


def _quality(docs: Path) -> str:
    quality = _load(docs, "quality")
    methods = quality["methods"]
    shown = sorted(methods, key=lambda name: ("plain drop" in name, methods[name]["psnr"]))
    rows = [
        (name, f"{methods[name]['psnr']:.1f}", f"{methods[name]['step_psnr']:.1f}")
        for name in shown
    ]
    datm, bsm = methods["DATM 4-bit"], methods["BSM on output"]
    random, drop = methods["random dst on output"], methods["DATM 4-bit, plain drop"]
    on_input = methods["DATM 4-bit on input"]
    gains = [a - b for a, b in zip(datm["runs"], bsm["runs"], strict=True)]
    error = stdev(gains) / len(gains) ** 0.5
    table = _table(("matching", "PSNR of the whole run, dB", "PSNR of one reduced step, dB"), rows)
    return f"""\
{table}

* DATM 4-bit is {mean(gains):.2f} dB above BSM on output (standard error {error:.2f} dB over
  {len(gains)} runs), and {datm["psnr"] - on_input["psnr"]:.1f} dB above itself on input. Four bits
  cost {methods["DATM float"]["psnr"] - datm["psnr"]:.1f} dB.
* **Plain drop** is the paper's reduction: the src rows leave Q, K and V. It costs
  {datm["psnr"] - drop["psnr"]:.0f} dB. All other rows are with *proportional attention*, our
  default: a dst's key counts once for each token that it stands for, so that dropping exact copies
  changes nothing (`--no-proportional` turns it off).
* Random dst are only {datm["psnr"] - random["psnr"]:.1f} dB below DATM over whole runs,
  {datm["step_psnr"] - random["step_psnr"]:.1f} dB over one step: they are drawn anew at each full
  step, so their errors probably average out where DATM's return in the same places.
* Similarity maps, cosine with the true output's: {_cosines(quality["cosines"])}."""


def _cosines(cosines: dict[str, float]) -> str:
    return ", ".join(f"{name} {cosine:.3f}" for name, cosine in cosines.items())


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
    return (
        f"{layer['tokens']} tokens of {layer['channels']} channels, M = {layer['num_dst']},"
        f" {layer['iterations']} pairings: {layer['cycles']:,} cycles ({stages}),\n"
        f"{layer['seconds']:.2f} s of simulation once the simulator is built."
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
            "cells of one ORBIS instance (12.39 mm2 in 28 nm)",
            lambda s: f"{s['logic_share_of_instance']:.2%}",
        ),
        row("cells and SRAM of it", lambda s: f"{s['share_of_instance']:.2%}"),
        row("slowest module, ns", lambda s: f"{s['slowest'] / 1000:.2f}"),
    ]
    slowest = [_slowest(area["modules"]) for area in (demo, paper)]
    rows.append(("that is", *slowest))
    header = ("", *(f"{a['made_from']['preset']}, G = {a['made_from']['scale_group']}"
                    for a in (demo, paper)))  # fmt: skip
    apart = demo["summary"]
    return f"""\
{_table(header, rows)}

Flattened, the demo engine is {1 - flat["logic"] / apart["logic"]:.1%} smaller
({flat["logic"]:,.0f} um2, {apart["flip_flops"] - flat["flip_flops"]:,} flip-flops fewer) than its
units times their instances, and its longest path is {flat["slowest"] / 1000:.2f} ns: what crosses a
module's edge, such as a constant input, an output that nobody reads, or a register that neighbours
repeat, is only then simplified."""


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
    return (
        f"{table}\n\nEach of the {len(found['units'])} units is within"
        f" {found['largest_deviation']:.1%} between the built-in library and Nangate45\n"
        "([docs/libraries.md](docs/libraries.md))."
    )


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
