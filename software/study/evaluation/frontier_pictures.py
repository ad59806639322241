"""Pictures of the frontier: quality over SDPA's work and over memory, a panel a judge."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from software.study.evaluation.pictures import figure
from software.study.evaluation.ways import OURS, OURS_Q

_LOOKS = {
    "AsymRnR": ("#d55e00", "D", "-"),
    "AsymRnR, residual": ("#d55e00", "D", ":"),
    "DATM, copy, Q K V": ("#0072b2", "s", "--"),
    OURS: ("#0072b2", "s", "-"),
    "DATM, copy, Q alone": ("#000000", "o", "--"),
    OURS_Q: ("#000000", "o", "-"),
    "random dst, residual, Q alone": ("#cc79a7", "P", ":"),
    "src cached, Q alone": ("#009e73", "v", "-"),
    "attention broadcast": ("#e69f00", "*", ""),
}
"""Colour, marker and line of each way, in Okabe and Ito's palette."""
AXES = {
    "work": "SDPA work in a reduced step, % of a full one's",
    "memory": "kept in memory, % of the attention outputs",
}


def frontier_picture(judges: Sequence[dict[str, Any]], over: str, quality: str) -> Figure:
    """Quality (``psnr`` or ``ssim``) over ``work`` or ``memory``."""
    rows = -(-len(judges) // 2)
    drawn = figure(12, 3.4 * rows + 0.6)
    panels = drawn.subplots(rows, 2, squeeze=False).ravel()
    for axes, judge in zip(panels, judges, strict=False):
        _draw(axes, judge, over, quality)
    for spare in panels[len(judges) :]:
        spare.set_axis_off()
    for axes in panels[max(0, len(judges) - 2) : len(judges)]:
        axes.set_xlabel(AXES[over])
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return drawn


def _draw(axes: Axes, judge: dict[str, Any], over: str, quality: str) -> None:
    for way in judge["ways"]:
        colour, marker, line = _LOOKS[way["name"]]
        axes.plot(
            [point[over] * 100 for point in way["points"]],
            [point[quality] for point in way["points"]],
            label=way["name"], color=colour, marker=marker, linestyle=line or "none",
            markersize=11 if marker == "*" else 5,
            linewidth=2.4 if way["name"] in (OURS, OURS_Q) else 1.4,
        )  # fmt: skip
    axes.set_title(judge["name"], fontsize=11, loc="left")
    axes.set_ylabel("PSNR, dB" if quality == "psnr" else "SSIM")
    axes.set_xlim(left=-2)
    axes.grid(alpha=0.25)
