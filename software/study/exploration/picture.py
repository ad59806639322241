"""The picture of an exploration: area against time, memory traffic as colour."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from software.study.exploration.points import objectives
from software.study.exploration.survey import by_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "os^Dv<>p*h"
_GREY = "#888888"


def plot(
    path: Path,
    points: Sequence[dict[str, Any]],
    budgets: Mapping[str, float],
) -> None:
    """Draw the points, as PNG.

    Args:
        path: the file.
        points: of a survey's summary.
        budgets: areas that lines are drawn at, mm2 at 28 nm, by what they are called.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    has_time = _has_time(points)
    most = 100 * max(objectives(point)[2] for point in points)
    for number, (scale, some) in enumerate(by_scale(points).items()):
        places = [_place(point, has_time) for point in some]
        drawn = axes.scatter(
            [area for area, _ in places],
            [time for _, time in places],
            c=[100 * objectives(point)[2] for point in some],
            vmin=0,
            vmax=most,
            cmap="viridis_r",
            marker=_MARKERS[number % len(_MARKERS)],
            s=70,
            linewidths=[1.6 if point["front"] else 0.3 for point in some],
            edgecolors=["#cc3311" if point["front"] else _GREY for point in some],
            label=f"G = {scale[0]}, {scale[1]}-bit weights{_gain(some[0])}",
            zorder=3,
        )
    figure.colorbar(drawn, ax=axes, label="memory traffic, % of an instance's share, at most")
    _name(axes, points, has_time)
    if has_time:
        for times, name in ((1, "hidden"), (2, "twice")):
            axes.axhline(times, color=_GREY, linewidth=0.8, linestyle=":")
            axes.text(1, times, f" {name}", transform=axes.get_yaxis_transform(), fontsize=7,
                      va="center")  # fmt: skip
    for name, area in budgets.items():
        axes.axvline(area, color=_GREY, linewidth=0.8, linestyle="--")
        axes.text(area, 0.99, f" {name}", transform=axes.get_xaxis_transform(), fontsize=7,
                  va="top", rotation=90)  # fmt: skip
    axes.set(
        xlabel="mm2 at 28 nm, cells and memories",
        ylabel="time that there is, in times that are needed" if has_time else "cycles",
    )
    axes.set_title("Engines by area and time; edged in red: on the front")
    figure.legend(fontsize=8, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120, format="png")


def _has_time(points: Sequence[dict[str, Any]]) -> bool:
    """Whether it is known of each layer how long there is for it."""
    return all(layer["margin"] is not None for p in points for layer in p["layers"].values())


def _place(point: Mapping[str, Any], has_time: bool) -> tuple[float, float]:
    area, time, _ = objectives(point)
    return area, 1 / time if has_time else time


def _name(axes: "Axes", points: Sequence[dict[str, Any]], has_time: bool) -> None:
    """Ring and name presets; write the array beside the first other engine that has it."""
    known = set()
    for point in points:
        if preset := point["preset"]:
            known.add(_array(point))
            axes.scatter(
                *_place(point, has_time), s=220, facecolors="none", edgecolors="black", zorder=4
            )
            axes.annotate(
                preset, _place(point, has_time), textcoords="offset points", xytext=(0, 22),
                ha="center", fontweight="bold", arrowprops={"arrowstyle": "-"}, zorder=4,
            )  # fmt: skip
    for point in points:
        if (array := _array(point)) not in known:
            known.add(array)
            axes.annotate(
                array, _place(point, has_time), textcoords="offset points", xytext=(6, 4),
                fontsize=7.5, zorder=4,
            )  # fmt: skip


def _array(point: Mapping[str, Any]) -> str:
    """The first part of its name."""
    array: str = point["name"].partition(",")[0]
    return array


def _gain(point: Mapping[str, Any]) -> str:
    quality = point["quality"]
    return "" if quality is None else f": {quality['gain']:+.2f} (± {quality['error']:.2f}) dB"
