"""How a video model is trained: its settings, loss, optimizers and rate.

Flow matching in pixel space: least squares on the velocity, times drawn logit-normally. Muon steps
the matrices of the transformer blocks, AdamW the rest (after 75 s on equal terms the velocity loss
was 0.85 with Muon, 1.09 with AdamW alone).
"""

import math
from dataclasses import dataclass

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor, nn

from software.demo.clips import WindowSet
from software.demo.geometry import GEOMETRIES, ModelName
from software.demo.model import predict
from software.demo.prompt import embed

MIN_NOISE = 0.05
"""Least noise level that the loss divides by, so that nearly clean inputs do not rule it."""


@dataclass(frozen=True)
class TrainConfig:
    """What a run depends on.

    Attributes:
        model: which of software.demo.geometry is trained.
        minutes: wall-clock budget, all resumed parts of the run together.
        batch: videos a step.
        stride: frames of a clip from one frame of a video to the next.
        learning_rate: peak, for both optimizers.
        warm_up: steps until the peak.
        ema: decay of the averaged weights, reached after about 10 / (1 - ema) steps.
        time_mean: mean of the logit of the time; below 0 favours noisy inputs.
        time_spread: its standard deviation. Wide enough for the noisiest inputs to be learnt well:
            what a run decides in its first steps it keeps.
        seed: of initial weights, windows, times and noise.
        evaluate_every: steps between evaluations, each followed by a checkpoint.
        log_every: steps between log lines.
        layers: transformer blocks.
    """

    model: ModelName = "small"
    minutes: float = 90.0
    batch: int = 8
    stride: int = 2
    learning_rate: float = 2e-3
    warm_up: int = 50
    ema: float = 0.998
    time_mean: float = -0.4
    time_spread: float = 1.4
    seed: int = 0
    evaluate_every: int = 250
    log_every: int = 25
    layers: int = 6


RECIPES: dict[ModelName, TrainConfig] = {
    "small": TrainConfig(),
    "large": TrainConfig(model="large", batch=4),
}
"""How each model is trained; a step of either sees about as many tokens."""


def flow_loss(
    model: CogVideoXTransformer3DModel,
    videos: Tensor,
    labels: Tensor,
    moments: Tensor,
    generator: torch.Generator,
    config: TrainConfig,
) -> Tensor:
    """Mean squared error of the velocity at random times and noise; a scalar.

    The velocity's error is the predicted video's, divided by the noise level.
    """
    noise = torch.randn(videos.shape, generator=generator)
    logits = torch.randn(len(videos), generator=generator) * config.time_spread + config.time_mean
    times = torch.sigmoid(logits)
    mix = times.view(-1, 1, 1, 1, 1)
    noisy = mix * videos + (1 - mix) * noise
    geometry = GEOMETRIES[config.model]
    with torch.autocast("cpu", torch.bfloat16):
        predicted = predict(model, noisy, times, embed(labels, moments, geometry))
    return ((predicted - videos) / (1 - mix).clamp(min=MIN_NOISE)).square().mean()


@torch.no_grad()
def evaluate(
    model: CogVideoXTransformer3DModel, windows: WindowSet, config: TrainConfig, batches: int = 3
) -> float:
    """Loss on windows drawn from a fixed seed, so that figures of one run can be compared."""
    generator = torch.Generator().manual_seed(config.seed + 1)
    losses = [
        flow_loss(model, *windows.draw(16, generator), generator, config).item()
        for _ in range(batches)
    ]
    return sum(losses) / len(losses)


def make_optimizers(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for everything else."""
    named = list(model.named_parameters())
    matrices = [p for n, p in named if p.ndim == 2 and n.startswith("transformer_blocks")]
    taken = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in taken]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate_factor(step: int, share_spent: float, warm_up: int) -> float:
    """Learning rate as a share of its peak: linear warm-up in steps, cosine to 0 in time."""
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, share_spent)))
