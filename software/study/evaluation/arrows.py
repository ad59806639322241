"""The picture of the pairs: src and dst on the frames, the largest groups with their lines."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from torch import Tensor

from software.demo.model import GRID
from software.demo.sheet import to_images
from software.study.evaluation.pictures import figure

_COLUMNS = 4
_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#d55e00")
"""One for each group that is followed; Okabe and Ito's palette."""
_SCALE = 6
_Point = tuple[float, float]


def pairs_picture(video: Tensor, methods: dict[str, Any]) -> Figure:
    """Draw each method's pairs on the same frames, [F, 3, H, W], one method below the other.

    A white dot marks each src. The largest groups have a colour each: the dst has a frame around
    it, and a line leads to it from each of its src, also from other frames.
    """
    rows = -(-GRID[0] // _COLUMNS)
    drawn = figure(12, 6.4 * len(methods))
    parts = drawn.subfigures(len(methods), 1, squeeze=False)[:, 0]
    for part, (name, entry) in zip(parts, methods.items(), strict=True):
        part.suptitle(f"{name}: {len(entry['pairs'])} pairs", fontsize=14)
        axes = part.subplots(rows, _COLUMNS).ravel()
        for frame, image in enumerate(to_images(video, _SCALE)):
            axes[frame].imshow(image)
            axes[frame].set_title(f"frame {frame}", fontsize=10)
        for each in axes:
            each.set_axis_off()
        for src, _ in entry["pairs"]:
            frame, centre = _place(src, video)
            axes[frame].plot(*centre, "o", color="white", markersize=5, markeredgecolor="black",
                             markeredgewidth=0.5)  # fmt: skip
        for colour, (dst, group) in zip(_COLOURS, _largest(entry["pairs"]), strict=False):
            _draw_group(part, axes, video, dst, group, colour)
    return drawn


def _largest(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    """Groups as (dst, its src), the largest first, ties by dst."""
    groups: dict[int, list[int]] = defaultdict(list)
    for src, dst in pairs:
        groups[dst].append(src)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _place(token: int, video: Tensor) -> tuple[int, _Point]:
    """A token's frame, and its centre there in pixels of the enlarged frame."""
    frame, place = divmod(token, GRID[1] * GRID[2])
    row, column = divmod(place, GRID[2])
    height, width = (size * _SCALE / cells for size, cells in zip(
        video.shape[2:], GRID[1:], strict=True))  # fmt: skip
    return frame, ((column + 0.5) * width - 0.5, (row + 0.5) * height - 0.5)


def _draw_group(
    part: Any, axes: list[Axes], video: Tensor, dst: int, group: list[int], colour: str
) -> None:
    side = video.shape[3] * _SCALE / GRID[2]
    home, (x, y) = _place(dst, video)
    corner = (x - side / 2, y - side / 2)
    axes[home].add_patch(
        Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=3, zorder=4)
    )
    for src in group:
        frame, centre = _place(src, video)
        axes[frame].plot(*centre, "o", color=colour, markersize=7, markeredgecolor="black",
                         zorder=5)  # fmt: skip
        part.add_artist(
            ConnectionPatch(
                centre, (x, y), "data", "data", axesA=axes[frame], axesB=axes[home],
                color=colour, linewidth=1.6, arrowstyle="-|>", mutation_scale=9, shrinkB=6,
            )
        )  # fmt: skip
