"""The page of model families: ``python -m software.tests.library.families_page``.

Classes, processors and layers come from the families and the tiny models, pipelines from diffusers,
and what was run from the pipelines that the tests run.
"""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import diffusers
import diffusers.models.transformers
from torch import nn

from software.library.families import FAMILIES, Family, family_of
from software.library.families.refused import reason
from software.library.files import write_text
from software.study.figures.text import wrapped
from software.tests.library.tiny_guided import GUIDED
from software.tests.library.tiny_models import TINY
from software.tests.library.tiny_pipelines import PIPELINES
from software.tests.library.tiny_runs import NAMES

PAGE = Path(__file__).parents[3] / "docs" / "families.md"
_PIPELINES = Path(diffusers.__file__).parent / "pipelines"
_PICTURES = (
    "image", "video", "last_image", "reference_images", "mask", "control_video", "pose_video",
    "face_video", "background_video", "mask_video", "conditions", "cond_image",
)  # fmt: skip
"""Arguments of a pipeline's call that hold pictures."""
_HEAD = """# Model families

Made by `python -m software.tests.library.families_page`, from the families
(`software/library/families/`), from diffusers {version}, and from what the tests run: every family
in a tiny model, with random weights, against a definition that knows nothing of families
(`software/tests/library/naive_reduction.py`), and the pipelines that say so below, from embeddings
of prompts to latents. None has run here with its published weights.

For all of them: self-attention over video tokens is reduced; cross-attention, and what else is
listed as left alone, is not. Fused projections, caches of diffusers that skip layers, tokens split
over devices and attention processors other than those named are refused. A modular pipeline does
not tell how many steps it runs, so that `OrbisConfig` needs `num_steps` (the tests run Wan's).

A class that derives from one of these is of its family, and a class of the same name that is built
as diffusers' is, too.
"""
_REFUSED = """## Refused

All other transformers of diffusers, each in one sentence that names its class before any layer is
looked at; the tests try every one.

| why | classes |
|---|---|
"""


def run_in_tests() -> dict[str, list[str]]:
    """Diffusers' pipelines that the tests run, and the pictures that they are given there."""
    tiny = (PIPELINES | GUIDED).values()
    return {
        type(each.pipe()).__name__: [part for part in _PICTURES if part in each.given]
        for each in tiny
    }


def pipelines(model: str) -> dict[str, list[str]]:
    """Diffusers' pipelines around a transformer of a class, and the pictures that each takes."""
    made = {}
    for path in sorted(_PIPELINES.glob("*/pipeline_*.py")):
        text = path.read_text()
        if not re.search(rf"\b{model}\b", text):
            continue
        for name in re.findall(r"^class (\w+Pipeline)\(", text, re.MULTILINE):
            kind: Any = getattr(diffusers, name)
            built = inspect.signature(kind.__init__).parameters.get("transformer")
            if built is not None and re.search(rf"\b{model}\b", str(built.annotation)):
                taken = inspect.signature(kind.__call__).parameters
                made[name] = [each for each in _PICTURES if each in taken]
    return made


def _patterns(paths: Iterable[str]) -> str:
    """Paths of layers, each kind once, with N for numbers."""
    kinds = dict.fromkeys(re.sub(r"\b\d+\b", "N", path) for path in paths)
    return ", ".join(f"`{kind}`" for kind in kinds)


def _left_alone(model: nn.Module, patched: Iterable[str]) -> str:
    """Attention layers of a model that stay as they are."""
    own = set(patched)
    others = (path for path, module in model.named_modules() if hasattr(module, "processor"))
    return _patterns(path for path in others if path not in own) or "none"


def _named(parts: Iterable[str]) -> str:
    """What a video is made from: a text, and pictures."""
    return ", ".join(["text", *(part.replace("_", " ") for part in parts)])


def section(family: Family, model: nn.Module, run: dict[str, list[str]]) -> str:
    """What there is to say of a family, from a tiny model of it and from what was run."""
    layers = family.attentions(model)
    items = [
        f"* class: `{family.model}`",
        f"* attention processor: {', '.join(f'`{name}`' for name in family.processors)}",
        f"* patched: {_patterns(layers)}",
        f"* left alone: {_left_alone(model, layers)}",
        *([f"* {family.limits}"] if family.limits else []),
    ]
    rows = [
        f"| `{name}` | {_named(parts)} | {_named(run[name]) if name in run else 'not run'} |\n"
        for name, parts in pipelines(family.model).items()
    ]
    table = "| pipeline of diffusers | takes | run in the tests with |\n|---|---|---|\n"
    return "".join([f"## {family.name}\n\n", *map(wrapped, items), "\n", table, *rows])


def refused() -> str:
    """The table of those that are refused, the largest group first."""
    supported = {family.model for family in FAMILIES}
    groups: dict[str, list[str]] = {}
    for name, kind in inspect.getmembers(diffusers.models.transformers, inspect.isclass):
        if name not in supported:
            why = reason(kind) or "no family has been written for it"
            groups.setdefault(why, []).append(f"`{name}`")
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return "".join(f"| {why} | {', '.join(names)} |\n" for why, names in ordered)


def page() -> str:
    """The whole page."""
    run = run_in_tests()
    models = {family_of(model): model for model in (TINY[name].model() for name in NAMES)}
    sections = [section(family, models[family], run) for family in FAMILIES]
    head = _HEAD.format(version=diffusers.__version__)
    return "\n".join([head, *sections, _REFUSED]) + refused()


if __name__ == "__main__":
    write_text(PAGE, page())
