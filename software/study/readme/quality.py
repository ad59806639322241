"""What reduction costs: the sheet of ``make``, and the tables of ``orbis evaluate``."""

from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from software.study.evaluation.methods import OURS, plain_name
from software.study.readme.text import bullet, load, table, wrapped


def sheet(docs: Path) -> str:
    """The caption of the picture that ``make`` draws."""
    video = load(docs, "video")
    return wrapped(
        f"*{video['steps']} steps, {video['full_steps']} of them full, {video['ratio']:.0%} of the"
        " tokens dropped in the others, every match computed by the simulated RTL:"
        f" {video['psnr']:.1f} dB to the unreduced video. Made by `make`.*"
    )


_LEVEL = 45.0
"""The PSNR, in dB, that the table gives the largest reduction for."""


def evaluation(docs: Path) -> str:
    """Methods by ratio, the headline, and what else the evaluation shows."""
    found = load(docs, "evaluation")
    config, methods = found["config"], found["methods"]
    levels = found["headline"]["levels"]
    reach = next(entry["reach"] for entry in levels if entry["level"] == _LEVEL)
    lead = wrapped(
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
    sentences = "\n".join(map(bullet, (*headline, *_findings(found))))
    return f"{lead}\n\n{table(header, rows)}\n\n{sentences}"


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
