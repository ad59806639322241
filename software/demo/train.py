"""Train a video diffusion transformer on the clips of its classes.

    OMP_WAIT_POLICY=PASSIVE orbis train --minutes 90 -o build/train

software.demo.recipe says how. The learning rate warms up over a few steps and then follows a cosine
to zero *over the wall-clock budget*, so that the run ends well however busy the machine is. The
weights that are kept are a moving average. A killed run resumes from its last checkpoint with the
time it had already spent.
"""

import io
import json
import logging
import math
import pickle
import shutil
import tempfile
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError
from torch import nn

from software.demo.clips import DOWNLOADS, load_clips, window_sets
from software.demo.geometry import GEOMETRIES
from software.demo.matmul_attention import MatmulAttention
from software.demo.model import build_model
from software.demo.model_card import write_model_card
from software.demo.recipe import TrainConfig, evaluate, flow_loss, make_optimizers, rate_factor
from software.library.files import (
    check_outputs,
    output_folder,
    replacing,
    write_bytes,
    write_json,
)

log = logging.getLogger("orbis.train")


@dataclass
class RunState:
    """What a run has done so far: steps, seconds spent, and its loss curve."""

    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One run in one folder: ``checkpoint.pt`` (resumed if there), ``curve.json``, ``weights/``.

    ``downloads`` is the folder of the archives that the clips lie in.

    Raises:
        FileNotFoundError: a package of the clips is missing.
        ValueError: the checkpoint is not whole, or is another model's.
    """

    def __init__(self, folder: Path, config: TrainConfig, downloads: Path = DOWNLOADS) -> None:
        self.folder, self.config = output_folder(folder), config
        self.checkpoint = folder / "checkpoint.pt"
        self.curve_file = folder / "curve.json"
        check_outputs([self.checkpoint, self.curve_file])
        geometry = GEOMETRIES[config.model]
        clips = load_clips(geometry, downloads)
        self.train_windows, self.held_out = window_sets(clips, geometry.frames, config.stride)
        self.model, self.averaged = (
            build_model(config.layers, geometry=geometry, seed=config.seed) for _ in range(2)
        )
        self.averaged.requires_grad_(False)
        for model in (self.model, self.averaged):
            model.set_attn_processor(MatmulAttention())
        self.optimizers = make_optimizers(self.model, config.learning_rate)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.state = RunState()
        if self.checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        try:
            saved = torch.load(self.checkpoint, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.averaged.load_state_dict(saved["averaged"])
            for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
                optimizer.load_state_dict(state)
            self.generator.set_state(saved["generator"])
            self.state = RunState(saved["step"], saved["seconds"], saved["curve"])
        except (RuntimeError, ValueError, TypeError, LookupError, EOFError,
                pickle.UnpicklingError) as error:  # fmt: skip
            raise ValueError(
                f"{self.checkpoint} is no checkpoint of this run; remove it to begin anew."
            ) from error
        log.info("resumed at step %d, %.1f minutes spent", self.state.step, saved["seconds"] / 60)

    def save(self) -> None:
        """Write the checkpoint and the curve so far."""
        saved = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            **asdict(self.state),
        }
        whole = io.BytesIO()  # of a failed write torch would not tell the reason
        torch.save(saved, whole)
        write_bytes(self.checkpoint, whole.getvalue())
        write_json(self.curve_file, self.state.curve)

    def save_weights(self) -> Path:
        """Write the averaged model in bfloat16, each file whole or not at all; returns its folder.

        Raises:
            ValueError: the folder cannot be written to.
        """
        folder = output_folder(self.folder / "weights")
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            try:
                deepcopy(self.averaged).bfloat16().save_pretrained(made)
            except SafetensorError as error:
                raise ValueError(f"{self.folder} cannot be written to: {error}.") from error
            for file in Path(made).iterdir():
                with replacing(folder / file.name) as partial:
                    shutil.copyfile(file, partial)
        return folder

    def step(self) -> float:
        """One optimisation step at the rate that the time spent asks for; returns its loss."""
        share = self.state.seconds / (60 * self.config.minutes)
        factor = rate_factor(self.state.step, share, self.config.warm_up)
        drawn = self.train_windows.draw(self.config.batch, self.generator)
        loss = flow_loss(self.model, *drawn, self.generator, self.config)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * factor
            optimizer.step()
        self.state.step += 1
        decay = min(self.config.ema, self.state.step / (self.state.step + 10))
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        return loss.item()

    def record(self, loss: float) -> None:
        """Evaluate the averaged weights on both sides of the split and append to the curve."""
        point = {
            "step": self.state.step,
            "minutes": round(self.state.seconds / 60, 2),
            "running": round(loss, 5),
            "train": round(evaluate(self.averaged, self.train_windows, self.config), 5),
            "hold_out": round(evaluate(self.averaged, self.held_out, self.config), 5),
        }
        self.state.curve.append(point)
        log.info("evaluated %s", json.dumps(point))

    def run(self) -> None:
        """Train until the budget is spent, then write the averaged model and its card."""
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
            while self.state.seconds < budget:
                begun = time.monotonic()
                recent = [*recent[-99:], self.step()]
                loss = sum(recent) / len(recent)
                self.state.seconds += time.monotonic() - begun
                if self.state.step % config.log_every == 0:
                    pace = 60 * self.state.step / self.state.seconds
                    log.info("step %d loss %.4f, %.1f a minute", self.state.step, loss, pace)
                if self.state.step % config.evaluate_every == 0 or self.state.seconds >= budget:
                    begun = time.monotonic()
                    self.record(loss)
                    self.save()
                    self.state.seconds += time.monotonic() - begun
                bar.update(task, completed=self.state.seconds, step=self.state.step, loss=loss)
        write_model_card(
            self.save_weights(),
            config=asdict(config),
            curve=self.state.curve,
            windows=(len(self.train_windows.index), len(self.held_out.index)),
        )
