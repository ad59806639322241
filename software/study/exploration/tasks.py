"""What is measured of engines, task by task: each depends on its own fields alone."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from golden.dau import Points
from golden.qe import quantize
from hw.config import EngineConfig
from software.demo.geometry import SMALL
from software.demo.model import load_model, model_files
from software.library.backends.golden import GoldenBackend
from software.library.npy import load_tokens
from software.library.simulator.build import cache_folder
from software.library.sources import sources_of
from software.study.chunks import SAMPLED_GROUPS, Lanes, chunks_needed
from software.study.evaluation.experiment import FULL
from software.study.evaluation.judges import SHORT, Run
from software.study.evaluation.runs import WholeRun
from software.study.layer_tokens import layer_tokens
from software.study.statistics import count_match
from system.models import num_dst_of

EXPERIMENT = replace(FULL, judge=SHORT)
"""What quality is measured on: runs of 20 steps, the paper's reduction."""


@dataclass(frozen=True)
class Scale:
    """What of a quantiser changes results.

    Attributes:
        scale_group: channels that share a scale and a weight.
        weight_bits: of a weight.
    """

    scale_group: int
    weight_bits: int

    @classmethod
    def of(cls, config: EngineConfig) -> "Scale":
        """An engine's."""
        return cls(config.scale_group, config.weight_bits)


EXACT = Scale(1, 8)
"""What quality is held against: a scale a channel, and weights of 8 bits."""


@dataclass(frozen=True)
class Area:
    """Measures an engine's cells, memories and longest path."""

    config: EngineConfig
    period_ns: float
    sources = ("hw", "synth")

    def measure(self) -> dict[str, Any]:
        """Figures by name, areas in mm2 by node.

        Raises:
            YosysError: a pass failed.
        """
        from hw.emit.verilog import modules_of
        from hw.engine import DatmEngine
        from synth import report
        from synth.builtin import builtin_library
        from synth.flow import TOP, map_design
        from synth.mapping import Flow

        modules = modules_of(DatmEngine(self.config), TOP)
        flow = Flow(self.period_ns)
        kept = cache_folder() / "area"
        design = map_design(modules, builtin_library(), top=TOP, flow=flow, cache=kept, jobs=1)
        summary = report.summarise(design)
        return {
            "mm2": {str(node): area for node, area in summary.scaled_mm2.items()},
            "share_of_instance": summary.share_of_instance,
            "cells_um2": summary.logic,
            "sram_bits": summary.sram_bits,
            "longest_path_ps": summary.slowest,
        }


@dataclass(frozen=True)
class Counts:
    """Counts what a match does on tokens, and how far comparisons go with some lanes.

    Attributes:
        scale: of the quantiser.
        lanes: P, Q and C of each array.
        tokens: a file of tokens; real video where it is None.
    """

    scale: Scale
    lanes: tuple[tuple[int, int, int], ...]
    tokens: Path | None
    sources = ("golden", "software")

    def measure(self) -> dict[str, Any]:
        """``statistics`` without lanes, and by lanes the ``chunks`` of each pass in their order."""
        values = layer_tokens() if self.tokens is None else load_tokens(self.tokens)
        quantized = quantize(
            values, scale_group=self.scale.scale_group, weight_bits=self.scale.weight_bits
        )
        del values  # as large as all that follows
        arrays = [Lanes(*sizes, most_groups=SAMPLED_GROUPS) for sizes in self.lanes]
        chunks: list[list[tuple[int, ...]]] = [[] for _ in arrays]

        def watch(
            points: Points, src: torch.Tensor, dst: torch.Tensor, bound: torch.Tensor | None
        ) -> None:
            for found, lanes in zip(chunks, arrays, strict=True):
                found.append(chunks_needed(points, src, dst, lanes, bound))

        counted = count_match(quantized, num_dst_of(len(quantized.q)), watch=watch)
        return {"statistics": counted.as_dict(), "chunks": chunks}


@dataclass(frozen=True)
class Quality:
    """Measures one reduced run of the shipped model, matched with a quantiser."""

    scale: Scale
    run: Run
    sources = ("golden", "software")

    def measure(self) -> dict[str, float]:
        """PSNR to the unreduced run, in dB."""
        group, bits = self.scale.scale_group, self.scale.weight_bits
        config = EXPERIMENT.reduction(EXPERIMENT.ratio, scale_group=group)
        backend = GoldenBackend(scale_group=group, weight_bits=bits)
        run = WholeRun(self.run, config, EXPERIMENT.grid, backend)
        return {"psnr": run.measure(_model())["psnr"]}


Task = Area | Counts | Quality


def key(task: Task) -> str:
    """A name for all that a task's result depends on, its sources with it."""
    content = b""
    if isinstance(task, Counts) and task.tokens:
        content = task.tokens.read_bytes()
    elif isinstance(task, Quality):
        content = b"".join(path.read_bytes() for path in model_files(SMALL.weights))
    elif isinstance(task, Area):
        content = version("pyosys").encode()
    parts = [repr(task).encode(), content, *(_sources(name) for name in task.sources)]
    digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts))
    return digest.hexdigest()[:24]


@cache
def _sources(package: str) -> bytes:
    return "\0".join(sources_of(package)).encode()


@cache
def _model() -> Any:
    """A worker's model."""
    torch.set_num_threads(1)
    return load_model()
