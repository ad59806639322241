"""How far DATM's medoids are from the best that are known: FasterPAM's.

FasterPAM (Schubert and Rousseeuw, 2021) swaps medoids until no swap helps; it is the ``kmedoids``
package's, which only tests need otherwise. Both see the same float tokens and squared distances.
"""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from numpy.typing import NDArray
from torch import Tensor

from golden.datm import match
from golden.sampler import sample
from software.demo.diffusion import TimeGrid
from software.demo.model import GRID
from software.library.config import OrbisConfig
from software.library.matchers import draw_seed
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Run
from software.study.evaluation.runs import unreduced
from software.study.evaluation.workers import Found, Task

DST_FRACTIONS = (0.125, 0.25, 0.375)
STARTS = 3
"""FasterPAM's random starts; the best counts."""
MATCHINGS = ("FasterPAM", "DATM float", "random dst")
SUMS = ("kept", "all")
"""The K pairs that a reduced step would use, and all pairs."""


def missing() -> str | None:
    """Why it cannot be measured; None if it can."""
    return None if find_spec("kmedoids") else "kmedoids is not installed"


@dataclass(frozen=True)
class Losses:
    """Sums the pair losses of each matching of a run's outputs, in every layer."""

    run: Run
    grid: TimeGrid
    steps: tuple[int, ...]
    config: OrbisConfig

    def measure(self, model: CogVideoXTransformer3DModel) -> dict[str, list[list[float]]]:
        """By matching, a row for each layer and step: the sums over kept and over all pairs."""
        outputs = unreduced(model, self.run, self.grid).tokens.outputs
        rows: dict[str, list[list[float]]] = {name: [] for name in MATCHINGS}
        for step, layer in sorted(outputs):
            if step not in self.steps:
                continue
            tokens = outputs[step, layer]
            num_dst, reduce = self.config.counts(GRID)
            squared = torch.cdist(tokens.double(), tokens.double()).square().numpy()
            seed = draw_seed(self.run.seed, layer, step)
            options = replace(self.config.match_options, seed=seed)
            found = match(tokens, num_dst, 0, options, bits=None)
            random = sample(len(tokens), num_dst, seed)
            best = _fasterpam(squared, num_dst, seed)
            for name, dst in zip(MATCHINGS, (best, found.medoids, random), strict=True):
                rows[name].append(pair_losses(squared, dst, reduce))
        return rows


def _fasterpam(squared: NDArray[np.float64], num_dst: int, seed: int) -> Tensor:
    """The medoids of the best of some starts, int64 [M]."""
    import kmedoids

    runs = [
        kmedoids.fasterpam(squared, num_dst, random_state=(seed + start) % 2**32, n_cpu=1)
        for start in range(STARTS)
    ]
    best = min(runs, key=lambda run: float(run.loss))
    return torch.from_numpy(best.medoids.astype(np.int64))


def pair_losses(squared: NDArray[np.float64], dst: Tensor, reduce: int) -> list[float]:
    """Summed loss of the ``reduce`` cheapest pairs, and of all, of src with their nearest dst.

    Args:
        squared: distances, [N, N].
        dst: int64 [M].
        reduce: K.
    """
    nearest = np.sort(np.delete(squared[:, dst.numpy()].min(axis=1), dst.numpy()))
    return [float(nearest[:reduce].sum()), float(nearest.sum())]


def _task(experiment: Experiment, run: Run, fraction: float) -> Losses:
    config = experiment.reduction(experiment.ratio, dst_fraction=fraction)
    return Losses(run, experiment.grid, tuple(experiment.matching_steps), config)


def tasks(experiment: Experiment) -> list[Task]:
    """Every run and number of dst; nothing where FasterPAM is missing."""
    if missing():
        return []
    return [
        _task(experiment, run, fraction) for run in experiment.runs for fraction in DST_FRACTIONS
    ]


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """Excess over FasterPAM's sums, mean over runs, layers and steps; or why it is ``missing``."""
    if reason := missing():
        return {"missing": reason}
    rows = []
    for fraction in DST_FRACTIONS:
        measured = [found[_task(experiment, run, fraction)] for run in experiment.runs]
        sums = {
            name: np.array([row for each in measured for row in each[name]]) for name in MATCHINGS
        }
        for name in MATCHINGS[1:]:
            excess = (sums[name] / sums[MATCHINGS[0]] - 1).mean(axis=0)
            rows.append({"dst_fraction": fraction, "matching": name,
                         **dict(zip(SUMS, excess.round(4).tolist(), strict=True))})  # fmt: skip
    return {"starts": STARTS, "token_sets": len(sums[MATCHINGS[0]]), "rows": rows}
