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

from software.evaluation.methods import OURS, plain_name
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


_LEVEL = 45.0
"""The PSNR, in dB, that the table gives the largest reduction for."""


def _evaluation(docs: Path) -> str:
    found = _load(docs, "evaluation")
    config, methods = found["config"], found["methods"]
    levels = found["headline"]["levels"]
    reach = next(entry["reach"] for entry in levels if entry["level"] == _LEVEL)
    lead = _wrapped(
        f"{len(found['runs'])} runs of the shipped model ({len(config['labels'])} clips at"
        f" {len(config['moments'])} moments, {config['seeds']} seeds), {config['steps']} steps,"
        f" FC:RC 1:{config['rc_steps']} after {config['warm_up']} full steps (chosen on other"
        f" seeds), M = {config['dst_fraction']:g} N. PSNR to the unreduced video in dB, by the"
        " share of the video tokens that reduced steps drop:"
    )
    header = ("matching", *(f"{ratio:.0%}" for ratio in config["ratios"]),
              f"largest reduction at {_LEVEL:g} dB or more")  # fmt: skip
    rows = [
        (row["name"], *(f"{point['psnr']:.1f}" for point in row["ratios"]), reach[row["name"]])
        for row in methods
    ]
    headline = (*found["headline"]["multiples"], found["headline"]["dominance"])
    sentences = "\n".join(map(_bullet, (*headline, *_findings(found))))
    return f"{lead}\n\n{_table(header, rows)}\n\n{sentences}"


def _findings(found: dict[str, Any]) -> Iterator[str]:
    """What the evaluation shows besides its headline, a sentence or two each."""
    ratio = found["config"]["ratio"]
    rows = {row["name"]: row for row in found["methods"]}
    at = {name: next(point for point in row["ratios"] if point["ratio"] == ratio)
          for name, row in rows.items()}  # fmt: skip

    def above(other: str) -> str:
        """How far DATM 4-bit on output is above another, run by run, in dB."""
        gaps = [a - b for a, b in zip(at[OURS]["runs"], at[other]["runs"], strict=True)]
        return f"{mean(gaps):+.1f} dB (± {stdev(gaps) / len(gaps) ** 0.5:.1f})"

    others = ("BSM 2x2x2 on output", "random dst on output", "DATM 4-bit on input",
              "DATM float on output")  # fmt: skip
    yield (
        f"{OURS} at {ratio:.0%} against others, run by run, ± its standard error:"
        f" {', '.join(f'{other} {above(other)}' for other in others)}."
    )
    yield (
        "**Plain drop** is the paper's reduction: the src rows leave Q, K and V. All other rows are"
        " with *proportional attention*, our default: a dst's key counts once for each token that"
        " it stands for, so that dropping exact copies changes nothing (`--no-proportional` turns"
        f" it off). To DATM at {ratio:.0%} that is worth {above(plain_name(OURS))}."
    )
    step = {name: rows[name]["step_psnr"] for name in (OURS, "random dst on output")}
    yield (
        f"One reduced step alone, from the unreduced run's state: DATM {step[OURS]:.1f} dB, random"
        f" dst {step['random dst on output']:.1f} dB."
    )
    similarity = found["similarity"]
    output, received = (
        f"{similarity[name]['pearson']['mean']:.3f} (cosine"
        f" {similarity[name]['cosine']['mean']:.3f}, the paper {similarity['paper'][name]})"
        for name in ("previous_output", "input")
    )
    yield (
        "Similarity maps, correlation with the true output's: the previous step's output"
        f" {output}, the layer's input {received}."
    )
    cold, warm = (row for row in found["ablation"] if row["subject"] == "first dst")
    yield (
        f"A warm start (dst of the layer's last match) takes {warm['pairings']:.1f} pairings a"
        f" match in place of {cold['pairings']:.1f}, at {warm['psnr'] - cold['psnr']:+.1f} dB."
    )
    fraction = found["config"]["dst_fraction"]
    optimum = next(
        row
        for row in found["optimum"]["rows"]
        if row["matching"] == "DATM float" and row["dst_fraction"] == fraction
    )
    yield (
        f"At M = {fraction:g} N, DATM's kept pairs cost {optimum['kept']:.0%} more than"
        f" FasterPAM's, all pairs {optimum['all']:.0%} more."
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


def _pairing(docs: Path) -> str:
    jobs = _load(docs, "bench")["pairing"]
    header = ("N", "D", "M", "tokens", "matmul, s", "pairing, s", "ratio",
              "peak memory, GB (with the matmul's)", "median of")  # fmt: skip
    rows = [
        (
            *(f"{job[name]:,}" for name in ("tokens", "channels", "num_dst")), job["case"],
            *(f"{job[name]:.2f}" for name in ("matmul_seconds", "pairing_seconds", "ratio")),
            f"{job['peak_bytes'] / 1e9:.2f} ({job['peak_bytes_with_matmul'] / 1e9:.2f})",
            str(job["repeats"]),
        )
        for job in jobs
    ]  # fmt: skip
    return _table(header, rows)


def _attention(docs: Path) -> str:
    found = _load(docs, "bench")["attention"]
    rows = [
        (f"{each['num_tokens']:,}", f"{each['heads']} x {each['channels']}",
         f"{each['full']:.3f}", f"{each['reduced']:.3f}", f"{each['ratio']:.3f}",
         f"{each['times_bound']:.2f}")
        for each in found["sdpa"]
    ]  # fmt: skip
    table = _table(("N", "heads", "full, s", "reduced, s", "ratio", "times the bound"), rows)
    steps, loop = found["steps"], found["loop"]
    sizes = _bullet(
        f"A transformer of {steps['layers']} layers as wide as CogVideoX-2B's ({steps['width']:,}),"
        f" {steps['num_tokens']:,} video tokens: a full step {steps['full']:.2f} s, a reduced one"
        f" {steps['reduced']:.2f} s, matching {steps['matching']:.2f} s. Four steps are"
        f" {steps['speed_up_of_four_steps']:.2f} times as fast,"
        f" {steps['speed_up_with_matching_hidden']:.2f} times if matching were hidden."
    )
    whole = _bullet(
        f"The shipped model's {loop['steps']} steps, {loop['reduced_steps']} of them reduced:"
        f" {loop['unreduced']:.2f} s become {loop['reduced']:.2f} s, of which matching is"
        f" {loop['matching']:.2f} s: {loop['speed_up']:.2f} times the unreduced run's speed,"
        f" {loop['speed_up_with_matching_hidden']:.2f} times if matching were hidden."
    )
    return f"{table}\n\n{sizes}\n{whole}"


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
    "evaluation": _evaluation,
    "bench": _bench,
    "pairing": _pairing,
    "attention": _attention,
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
