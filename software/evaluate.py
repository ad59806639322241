"""What token reduction costs in quality: each way of matching against the unreduced model.

    python -m software.evaluate -o docs

Every method starts from the same noise as the unreduced run that it is compared with, and runs the
same schedule. The similarity-map cosines say why matching on outputs works: they compare what a
matcher can see with what it stands for.

Source: design section 5, and the paper's figures named there.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel

from software.clips import CLASSES
from software.config import OrbisConfig
from software.diffusion import Denoised, TimeGrid, denoise
from software.files import output_folder, write_json, write_text
from software.metrics import map_cosine, psnr, ssim
from software.model import GRID, load_model, predict
from software.prompt import Prompt
from software.recording import Recorded, recording
from software.reduction import apply_orbis

NUM_TOKENS = GRID[0] * GRID[1] * GRID[2]
Report = Callable[[str, int, int], None]
"""``report(what, done, total)``, called after each generated video."""


@dataclass(frozen=True)
class QualityConfig:
    """What is measured.

    Attributes:
        seeds: of noise and matching; each is run for each prompt.
        labels: classes, as indices into ``software.clips.CLASSES``.
        moments: of each class.
        steps: Euler steps.
        warm_up: full steps at the start: about a quarter, in which the layout is decided. Chosen on
            seeds 10 to 12, not on ``seeds``.
        rc_steps: reduced steps after each full one.
        spacing: exponent of the time grid.
        ratio: share of the video tokens that reduced steps drop.
        num_dst: M of DATM and of the random dst.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    labels: tuple[int, ...] = tuple(range(len(CLASSES)))
    moments: tuple[float, ...] = (0.1, 0.4, 0.7)
    steps: int = 50
    warm_up: int = 13
    rc_steps: int = 3
    spacing: float = TimeGrid.spacing
    ratio: float = 0.38
    num_dst: int = NUM_TOKENS // 4

    @property
    def prompts(self) -> list[Prompt]:
        """Every moment of every class."""
        return [Prompt(label, moment) for label in self.labels for moment in self.moments]

    @property
    def grid(self) -> TimeGrid:
        """The steps of every run."""
        return TimeGrid(self.steps, self.spacing)


@dataclass(frozen=True)
class Method:
    """A way of reducing, by name."""

    name: str
    config: OrbisConfig


def methods(config: QualityConfig) -> list[Method]:
    """The methods that are compared, weakest first; those with a plain drop come last."""

    def method(name: str, **options: Any) -> Method:
        return Method(
            name,
            OrbisConfig(
                ratio=config.ratio, rc_steps=config.rc_steps, warmup_steps=config.warm_up,
                num_dst=config.num_dst, **options,
            ),
        )  # fmt: skip

    return [
        method("BSM on input", matcher="bsm", guide="input"),
        method("DATM 4-bit on input", guide="input"),
        method("random dst on output", matcher="random", bits=None),
        method("BSM on output", matcher="bsm"),
        method("DATM float", bits=None),
        method("DATM 4-bit"),
        method("DATM 4-bit, scale shared by 16", scale_group=16),
        method("BSM on output, plain drop", matcher="bsm", proportional=False),
        method("DATM 4-bit, plain drop", proportional=False),
    ]


def record_run(
    model: CogVideoXTransformer3DModel, prompt: Prompt, seed: int, steps: int
) -> Recorded:
    """Every layer's tokens at every step of an unreduced run."""
    with recording(model) as found:
        denoise(model, prompt, seed, TimeGrid(steps))
    return found


def similarity_cosines(
    model: CogVideoXTransformer3DModel, prompt: Prompt, seed: int, steps: int
) -> dict[str, float]:
    """Cosine of similarity maps with the true SDPA output's, mean over layers and steps from 1 on.

    ``previous_output`` is the same layer's output one step earlier, ``input`` the layer's input of
    the same step.
    """
    found = record_run(model, prompt, seed, steps)
    inputs, outputs = found.inputs, found.outputs
    later = [key for key in outputs if key[0] > 0]
    return {
        "previous_output": fmean(map_cosine(outputs[s - 1, n], outputs[s, n]) for s, n in later),
        "input": fmean(map_cosine(inputs[s, n], outputs[s, n]) for s, n in later),
    }


@torch.no_grad()
def step_psnr(
    model: CogVideoXTransformer3DModel,
    prompt: Prompt,
    reference: Denoised,
    grid: TimeGrid,
    config: OrbisConfig,
) -> float:
    """PSNR of the reduced steps' predictions, each made from the *unreduced* run's state.

    Errors neither add up nor cancel over the steps here: this is the error of matching alone. Mean
    of dB over the reduced steps.
    """
    text, times, found = prompt.tokens, grid.times, []
    first = config.warmup(grid.steps) - 1  # full steps before the first match tell nothing
    kinds = config.full_steps(grid.steps)
    with apply_orbis(model, replace(config, warmup_steps=1)):
        for step in range(first, grid.steps):
            state, after = reference.states[step : step + 2]
            predicted = predict(model, state, torch.tensor([times[step]]), text)
            if not kinds[step]:
                share = (1 - times[step]) / (times[step + 1] - times[step])
                found.append(psnr(predicted[0], (state + share * (after - state))[0]))
    return fmean(found)


def compare(found: Denoised, reference: Denoised) -> dict[str, float]:
    """Figures of one reduced run against the unreduced one."""
    return {
        "psnr": psnr(found.video, reference.video),
        "ssim": ssim(found.video, reference.video),
        "reduction": found.reduction,
        "reduction_rc": found.reduction_rc,
    }


def mean_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure over rows that have the same ones."""
    return {name: round(fmean(row[name] for row in rows), 4) for name in rows[0]}


def evaluate_quality(
    model: CogVideoXTransformer3DModel, config: QualityConfig, report: Report | None = None
) -> dict[str, Any]:
    """Measure every method, and the cosines, over all seeds and prompts.

    Returns a JSON-ready dict: ``config``, ``methods`` (name to mean figures, with the PSNR of
    every run under ``runs``) and ``cosines``.
    """
    compared = methods(config)
    runs = [(seed, prompt) for seed in config.seeds for prompt in config.prompts]
    figures: dict[str, list[dict[str, float]]] = {method.name: [] for method in compared}
    cosines = []
    done, total = 0, len(runs) * (len(compared) + 1)
    for seed, prompt in runs:
        reference = denoise(model, prompt, seed, config.grid)
        cosines.append(similarity_cosines(model, prompt, seed, config.steps))
        done += 1
        for method in compared:
            reduction = replace(method.config, seed=seed)
            found = denoise(model, prompt, seed, config.grid, config=reduction)
            alone = step_psnr(model, prompt, reference, config.grid, reduction)
            figures[method.name].append({**compare(found, reference), "step_psnr": alone})
            done += 1
            if report:
                report(f"{prompt}, seed {seed}: {method.name}", done, total)
    return {
        "config": asdict(config),
        "methods": {
            name: {**mean_of(rows), "runs": [round(row["psnr"], 3) for row in rows]}
            for name, rows in figures.items()
        },
        "cosines": mean_of(cosines),
    }


def to_markdown(result: dict[str, Any], command: str) -> str:
    """The result as a table, under the command that makes it."""
    config = result["config"]
    lines = [
        f"Made by `{command}`: mean over seeds {', '.join(map(str, config['seeds']))} of each of "
        f"{len(config['labels'])} classes at moments {', '.join(map(str, config['moments']))}, "
        f"{config['steps']} steps, FC:RC 1:{config['rc_steps']} "
        f"after {config['warm_up']} full steps (time grid: exponent {config['spacing']:g}), "
        f"{config['ratio']:.0%} of {NUM_TOKENS} tokens "
        f"dropped in reduced steps, M = {config['num_dst']} (BSM: one dst per 2x2x2 block).",
        "",
        "| matching | PSNR to the unreduced video, dB | SSIM | PSNR of one reduced step, dB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['psnr']:.2f} | {row['ssim']:.3f} | {row['step_psnr']:.2f} |"
        for name, row in result["methods"].items()
    ]
    cosines = result["cosines"]
    better, base = (result["methods"][name]["runs"] for name in ("DATM 4-bit", "BSM on output"))
    gains = [one - other for one, other in zip(better, base, strict=True)]
    error = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    lines += [
        "",
        f"DATM 4-bit less BSM on output, run by run: {fmean(gains):+.2f} dB on average, standard "
        f"error {error:.2f} dB over {len(gains)} runs.",
        "",
        "The last column starts every reduced step from the unreduced run's state: the error of "
        "matching alone, before errors of many steps add up or cancel.",
        "",
        "| similarity map, cosine with the true output's | |",
        "|---|---|",
        f"| the layer's output one step earlier | {cosines['previous_output']:.3f} |",
        f"| the layer's input | {cosines['input']:.3f} |",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Command line of ``python -m software.evaluate``: writes quality.json and quality.md."""
    parser = argparse.ArgumentParser(prog="python -m software.evaluate")
    parser.add_argument("-o", "--output", type=Path, default=Path("build"))
    parser.add_argument("--weights", type=Path, default=None, help="folder of another model")
    parser.add_argument("--steps", type=int, default=QualityConfig.steps)
    parser.add_argument("--warm-up", type=int, default=QualityConfig.warm_up)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(QualityConfig.seeds))
    options = parser.parse_args(arguments)
    folder = output_folder(options.output)
    model = load_model(options.weights) if options.weights else load_model()
    config = replace(
        QualityConfig(), steps=options.steps, warm_up=options.warm_up, seeds=tuple(options.seeds)
    )
    result = evaluate_quality(
        model, config, lambda what, done, total: print(f"{done}/{total} {what}", flush=True)
    )
    write_json(folder / "quality.json", result)
    write_text(folder / "quality.md", to_markdown(result, "python -m software.evaluate -o docs"))


if __name__ == "__main__":
    main()
