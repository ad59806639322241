"""The page: one file, its pictures inside, that a browser shows without a network."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from software.study.evaluation import ways
from software.study.evaluation.arrows import pairs_picture
from software.study.evaluation.curves import loss_picture, psnr_picture
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.frontier_pictures import AXES, frontier_picture
from software.study.evaluation.maps import likeness_picture, maps_picture
from software.study.evaluation.methods import OURS
from software.study.evaluation.pairs import video
from software.study.evaluation.pictures import to_png, to_uri
from software.study.evaluation.similarity import maps_task
from software.study.evaluation.workers import Found

_TEMPLATE = "page.html.j2"


def headline_picture(result: dict[str, Any]) -> bytes:
    """PSNR over the reduction, as PNG."""
    levels = [entry["level"] for entry in result["headline"]["levels"]]
    return to_png(psnr_picture(result["methods"], levels))


def frontier_pictures(result: dict[str, Any]) -> dict[str, bytes]:
    """PSNR and SSIM over work and over memory, as PNG, by what they show."""
    return {
        f"{quality}_over_{over}": to_png(frontier_picture(result["frontier"], over, quality))
        for over in AXES for quality in ("psnr", "ssim")
    }  # fmt: skip


def render(
    experiment: Experiment,
    found: Found,
    result: dict[str, Any],
    headline: bytes,
    frontiers: dict[str, bytes],
) -> str:
    """The page as HTML.

    Args:
        experiment: what was measured.
        found: what workers found; pictures need more than the figures.
        result: the figures (software.study.evaluation.report.summary).
        headline: the picture of Table 1.
        frontiers: those of the frontier.
    """
    shown = maps_task(experiment)
    layer, maps = found[shown]
    pictures = {
        **frontiers,
        "psnr": headline,
        "maps": to_png(maps_picture(maps)),
        "likeness": to_png(likeness_picture(result["similarity"])),
        "pairs": to_png(pairs_picture(video(experiment, found), result["pairs"]["methods"])),
        "loss": to_png(loss_picture(result["iterations"])),
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(_TEMPLATE).render(
        result=result,
        config=result["config"],
        classes=sorted({run["class"] for run in result["runs"]}),
        moments=sorted({run["moment"] for run in result["runs"]}),
        pictures={name: to_uri(png) for name, png in pictures.items()},
        maps_of=f"{shown.run}, layer {layer}, step {shown.step}",
        ours=OURS,
        ours_ways=(ways.OURS, ways.OURS_Q),
    )
