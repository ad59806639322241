"""Pictures of similarity: the maps themselves, and how like they are by layer and step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from software.demo.model import GRID
from software.study.evaluation.pictures import figure
from software.study.evaluation.similarity import GUIDES, MEASURES

_GUIDE_TITLES = {"previous_output": "previous step's output", "input": "layer's input"}
_MEASURE_TITLES = {"pearson": "Pearson correlation", "cosine": "cosine"}


def maps_picture(maps: Sequence[NDArray[np.float32]]) -> Figure:
    """Similarity maps [N, N] of the true output, the output one step before, and the input."""
    drawn = figure(12, 4.3)
    titles = ("output of this step", *(_GUIDE_TITLES[guide] for guide in GUIDES))
    per_frame, tokens = GRID[1] * GRID[2], len(maps[0])
    for number, (axes, title, each) in enumerate(
        zip(drawn.subplots(1, 3), titles, maps, strict=True)
    ):
        image = axes.imshow(each, cmap="viridis", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=12)
        axes.set(xticks=range(0, tokens + 1, per_frame), yticks=range(0, tokens + 1, per_frame))
        axes.tick_params(labelsize=8)
        axes.set_xlabel("token")
        if number == 0:
            axes.set_ylabel("token (a frame between two ticks)")
    drawn.colorbar(image, ax=drawn.axes, label="cosine of two tokens", shrink=0.8)
    return drawn


def likeness_picture(similarity: dict[str, Any]) -> Figure:
    """Heat maps over layer and step, a row a measure and a column a guide."""
    drawn = figure(12, 4.6)
    grid = drawn.subplots(len(MEASURES), len(GUIDES), squeeze=False)
    for row, measure in zip(grid, MEASURES, strict=True):
        for axes, guide in zip(row, GUIDES, strict=True):
            entry = similarity[guide][measure]
            values = np.array(entry["by_layer_and_step"])
            layers, steps = values.shape
            first = similarity["first_step"]
            image = axes.imshow(
                values, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest",
                extent=(first - 0.5, first + steps - 0.5, layers - 0.5, -0.5),
            )  # fmt: skip
            axes.set_title(
                f"{_GUIDE_TITLES[guide]}: {_MEASURE_TITLES[measure]}, mean {entry['mean']:.3f},"
                f" least {values.min():.3f}",
                fontsize=11,
            )
            axes.set(xlabel="step", ylabel="layer", yticks=range(layers))
    drawn.colorbar(image, ax=grid.ravel().tolist(), label="likeness to the true output's map")
    return drawn
