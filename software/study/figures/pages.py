"""Each page of figures, rendered."""

import re
from pathlib import Path

from software.study.chunks import SAMPLED_GROUPS
from software.study.evaluation import ways
from software.study.evaluation.experiment import MOST_SEEDS
from software.study.evaluation.headline import LEVELS, PAPER_MULTIPLE
from software.study.evaluation.judges import JUDGES
from software.study.evaluation.methods import OURS, plain_name
from software.study.exploration.tasks import EXPERIMENT
from software.study.figures.findings import (
    ARRANGEMENTS,
    above,
    apart,
    arranged,
    default_point,
    point,
    reduction_multiple,
    scales_of,
    slowest,
    stages_of,
    the,
    times_budget,
    without_deeper_gain,
)
from software.study.figures.text import environment, load
from synth.scaling import BUDGET_SHARE, INSTANCE_MM2_28NM, scale_delay

ROOT = Path(__file__).parents[3]
_SECTION = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SECTIONS = ("sheet", "headlines", "fpga", "lec", "situations", "mutants")
PAGES = ("README.md", "docs/fpga.md", "docs/verification.md")
"""The pages that have marked sections."""


def _render(template: str, docs: Path) -> str:
    return environment().get_template(f"{template}.md.j2").render(
        load(docs),
        ours=OURS,
        ours_plain=plain_name(OURS),
        levels=LEVELS,
        paper_multiple=PAPER_MULTIPLE,
        budget_share=BUDGET_SHARE,
        instance_mm2=INSTANCE_MM2_28NM,
        guidance_scale=max(judge.scale or 0 for judge in JUDGES),
        above=above,
        apart=apart,
        arrangements=ARRANGEMENTS,
        arranged=arranged,
        default_point=default_point,
        first_seed=MOST_SEEDS,
        point=point,
        ways=ways,
        reduction_multiple=reduction_multiple,
        quality_runs=EXPERIMENT.judge.runs,
        sampled_groups=SAMPLED_GROUPS,
        scales_of=scales_of,
        scale_delay=scale_delay,
        slowest=slowest,
        stages_of=stages_of,
        the=the,
        times_budget=times_budget,
        without_deeper_gain=without_deeper_gain,
    )  # fmt: skip


def measurements(docs: Path) -> str:
    """The text of docs/measurements.md, from the JSON files of the folder."""
    return _render("measurements", docs)


def refreshed(text: str, docs: Path) -> str:
    """The text of a page with every marked section made anew.

    Args:
        text: its present text.
        docs: folder of the JSON files.

    Raises:
        ValueError: a mark of an unknown name.
    """

    def section(found: re.Match[str]) -> str:
        name = found[2]
        if name not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise ValueError(f"a page marks figures {name!r}; it must be one of {known}.")
        return f"{found[1]}{_render(name, docs).strip()}\n{found[3]}"

    return _SECTION.sub(section, text)
