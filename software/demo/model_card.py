"""The model card and loss curve that training leaves beside its weights."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from software.demo.clips import HOLD_OUT, SCENES, Scene
from software.demo.geometry import Geometry
from software.demo.model import geometry_of, load_model
from software.demo.packages import Package
from software.library.files import replacing, write_json, write_text

Curve = Sequence[Mapping[str, float]]

CARD = """# A small video diffusion transformer of the CogVideoX architecture

diffusers' `CogVideoXTransformer3DModel` with {parameters:,} parameters, which denoises {frames}
frames of {size} x {size} pixels directly (no autoencoder): patches of {patch} x {patch} make
{tokens} video tokens. It loads offline with `from_pretrained`; `software/demo/model.py` says how
its prediction becomes a velocity.

It exists to measure token reduction on real attention of a trained model. It has learnt a few short
clips, and is of no use as a generator of anything else.

## Data

The clips are read from packages of PyPI and not copied here:

{data}

Squares of the frames, resized; windows of {frames} frames, {stride} frames of the clip apart. The
last {hold_out:.0%} of each clip is held out, and no window straddles the split or a cut:
{train_windows} windows to train on, {held_windows} held out. The prompt names the clip and the
moment at which the window starts (`software/demo/prompt.py`), so that it leaves little open.

## Training

{minutes:.0f} minutes on two CPU cores: {steps:,} steps of {batch} windows.

```json
{config}
```

| velocity loss, averaged weights | |
|---|---|
| training windows | {train:.4f} |
| held-out windows | {held:.4f} (lowest on the way: {best:.4f}, at step {best_step:,}) |

![loss curve](curve.png)

The gap between the two rows is memorisation: the clips hold too few scenes to generalise from, and
held-out moments are prompts that the model has never seen. Made by
`orbis train --model {model} --minutes {budget:g}`; how many steps fit into the minutes depends on
the machine, so another run gives other weights.
"""


def describe_data(geometry: Geometry) -> str:
    """A list of a model's clips and their terms, package by package."""
    found: dict[Package, list[str]] = {}
    for name in geometry.classes:
        scene = SCENES[name]
        found.setdefault(scene.package, []).append(f"`{name}` ({_extent(scene)})")
    return "\n".join(
        fill(
            f"* {package.name} {package.version}, `{package.folder}`: {', '.join(parts)}."
            f" {package.terms}",
            width=100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False,
        )
        for package, parts in found.items()
    )  # fmt: skip


def _extent(scene: Scene) -> str:
    if scene.end is None:
        return f"`{scene.file}`"
    return f"`{scene.file}`, frames {scene.begin} to {scene.end - 1}"


def draw_curve(path: Path, curve: Curve) -> None:
    """Draw training and held-out loss over the minutes of the run, as PNG."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    minutes = [point["minutes"] for point in curve]
    for name, label in (("train", "training windows"), ("hold_out", "held-out windows")):
        axes.semilogy(minutes, [point[name] for point in curve], label=label)
    axes.set(xlabel="minutes", ylabel="velocity loss (averaged weights)")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110, format="png")


def write_model_card(
    folder: Path, *, config: Mapping[str, Any], curve: Curve, windows: tuple[int, int]
) -> None:
    """Write ``README.md``, ``curve.json`` and ``curve.png`` into the folder of the weights.

    Args:
        folder: holds the saved model.
        config: the run's configuration.
        curve: its evaluations, see software.demo.train; the last one is the final model's.
        windows: number of training and of held-out windows.
    """
    model = load_model(folder)
    geometry = geometry_of(model)
    last, best = curve[-1], min(curve, key=lambda point: point["hold_out"])
    text = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        frames=geometry.frames,
        size=geometry.size,
        patch=geometry.patch,
        tokens=f"{math.prod(geometry.grid):,}",
        data=describe_data(geometry),
        stride=config["stride"],
        hold_out=HOLD_OUT,
        train_windows=windows[0],
        held_windows=windows[1],
        minutes=last["minutes"],
        steps=int(last["step"]),
        batch=config["batch"],
        config=json.dumps(dict(config), indent=1),
        train=last["train"],
        held=last["hold_out"],
        best=best["hold_out"],
        best_step=int(best["step"]),
        model=config["model"],
        budget=config["minutes"],
    )
    write_text(folder / "README.md", text)
    write_json(folder / "curve.json", list(curve))
    draw_curve(folder / "curve.png", curve)
