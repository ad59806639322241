"""Pictures of lines: PSNR over the reduction, and loss over the pairings."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from software.study.evaluation.methods import OURS, plain_name, without_plain
from software.study.evaluation.pictures import figure

_LOOKS = {
    "BSM 2x2 on input": ("#999999", "v"),
    "BSM 2x2x2 on input": ("#56b4e9", "^"),
    "BSM 2x2x2 on output": ("#0072b2", "s"),
    "AsymRnR": ("#d55e00", "D"),
    "random dst on output": ("#cc79a7", "P"),
    "DATM 4-bit on input": ("#e69f00", "X"),
    "DATM float on output": ("#009e73", "o"),
    OURS: ("#000000", "o"),
}
"""Colour and marker of each method: Okabe and Ito's palette, which colour blindness leaves apart;
a plain drop has its method's, dashed."""


def psnr_picture(methods: Sequence[dict[str, Any]], levels: Sequence[float]) -> Figure:
    """PSNR over the reduction ratio, a line a method."""
    drawn = figure(9, 5.4)
    axes = drawn.add_subplot()
    for row in methods:
        colour, marker = _LOOKS[without_plain(row["name"])]
        ours = row["name"] in (OURS, plain_name(OURS))
        axes.errorbar(
            [point["ratio"] * 100 for point in row["ratios"]],
            [point["psnr"] for point in row["ratios"]],
            yerr=[point["psnr_error"] or 0 for point in row["ratios"]],
            label=row["name"], color=colour, marker=marker, markersize=6,
            linewidth=2.6 if ours else 1.4, linestyle="--" if row["plain"] else "-",
            elinewidth=0.8, capsize=2,
        )  # fmt: skip
    for level in levels:
        axes.axhline(level, color="#666666", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="video tokens dropped in reduced steps, %",
        ylabel="PSNR to the unreduced video, dB",
        xticks=[point["ratio"] * 100 for point in methods[0]["ratios"]],
    )
    axes.grid(axis="y", alpha=0.25)
    drawn.legend(loc="outside right center", frameon=False, fontsize=9)
    return drawn


def loss_picture(iterations: dict[str, Any]) -> Figure:
    """Loss after each pairing, and the share of slots that the update after it moves."""
    drawn = figure(9, 3.6)
    left, right = drawn.subplots(1, 2)
    looks = {"cold": ("#0072b2", "o", "random dst (cold start)"),
             "warm": ("#d55e00", "s", "dst of the match before (warm start)")}  # fmt: skip
    for start, (colour, marker, label) in looks.items():
        for axes, name in ((left, "loss"), (right, "moved")):
            values = [value * 100 for value in iterations[start][name]]
            axes.plot(range(1, 1 + len(values)), values, color=colour, marker=marker, label=label)
    left.set(xlabel="pairing", ylabel="summed pair loss, % of the\ncold start's first pairing")
    right.set(xlabel="pairing", ylabel="dst slots that move after it, %")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.25)
    left.legend(frameon=False, fontsize=9)
    return drawn
