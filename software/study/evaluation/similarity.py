"""Fig. 3: how far a layer's tokens predict which of its output's tokens are alike."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from diffusers import CogVideoXTransformer3DModel
from numpy.typing import NDArray
from torch import Tensor

from software.demo.diffusion import TimeGrid
from software.demo.metrics import map_likeness, similarity_map
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Run
from software.study.evaluation.runs import unreduced
from software.study.evaluation.workers import Found, Task

GUIDES = ("previous_output", "input")
"""What is held against the true output: the output one step before, and the layer's input."""
MEASURES = ("pearson", "cosine")
PAPER = {"previous_output": 0.953, "input": 0.782}
"""The paper's figures, of models a thousand times larger."""


@dataclass(frozen=True)
class Likeness:
    """Measures how like two similarity maps are, by layer and step."""

    run: Run
    grid: TimeGrid

    def measure(self, model: CogVideoXTransformer3DModel) -> dict[str, list[list[list[float]]]]:
        """By guide: [layers][steps - 1][measures], steps from 1 on."""
        tokens = unreduced(model, self.run, self.grid).tokens
        layers = 1 + max(layer for _, layer in tokens.outputs)
        found: dict[str, list[list[list[float]]]] = {guide: [] for guide in GUIDES}
        for layer in range(layers):
            for guide in GUIDES:
                found[guide].append([])
            for step in range(1, self.grid.steps):
                true = tokens.outputs[step, layer]
                for guide, shown in zip(GUIDES, _shown(self, model, step, layer), strict=True):
                    likeness = map_likeness(shown, true)
                    found[guide][-1].append([likeness.pearson, likeness.cosine])
        return found


@dataclass(frozen=True)
class Maps:
    """Takes the maps that are shown: of one step of a run, in the middle layer."""

    run: Run
    grid: TimeGrid
    step: int

    def measure(self, model: CogVideoXTransformer3DModel) -> tuple[int, list[NDArray[np.float32]]]:
        """The layer, and the maps [N, N] of the true output, of the output before, and input."""
        tokens = unreduced(model, self.run, self.grid).tokens
        layer = middle_layer(model)
        shown = (tokens.outputs[self.step, layer], *_shown(self, model, self.step, layer))
        return layer, [similarity_map(each).numpy() for each in shown]


def middle_layer(model: CogVideoXTransformer3DModel) -> int:
    """The layer that pictures show."""
    return len(model.transformer_blocks) // 2


def _shown(
    task: Likeness | Maps, model: CogVideoXTransformer3DModel, step: int, layer: int
) -> tuple[Tensor, Tensor]:
    """What each guide sees of a step."""
    tokens = unreduced(model, task.run, task.grid).tokens
    return tokens.outputs[step - 1, layer], tokens.inputs[step, layer]


def maps_task(experiment: Experiment) -> Maps:
    """The maps that are shown."""
    return Maps(experiment.runs[0], experiment.grid, experiment.shown_step)


def tasks(experiment: Experiment) -> list[Task]:
    """Likeness in every run, maps of one."""
    return [maps_task(experiment), *(Likeness(run, experiment.grid) for run in experiment.runs)]


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """For each guide and measure its mean and ``by_layer_and_step``, over runs."""
    result: dict[str, Any] = {"first_step": 1, "paper": PAPER}
    for guide in GUIDES:
        stacked = np.array(
            [found[Likeness(run, experiment.grid)][guide] for run in experiment.runs]
        )
        means = stacked.mean(axis=0)  # [layers, steps - 1, measures]
        result[guide] = {
            measure: {
                "mean": round(fmean(means[..., number].flatten().tolist()), 4),
                "by_layer_and_step": means[..., number].round(4).tolist(),
            }
            for number, measure in enumerate(MEASURES)
        }
    return result
