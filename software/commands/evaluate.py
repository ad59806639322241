"""``orbis evaluate``: what token reduction costs, method by method, as a page."""

import math
import os
from typing import Annotated

import typer

from software.commands.options import Folder, Weights
from software.library.terminal import print_line, progress_bar


def evaluate(
    output: Folder,
    quick: Annotated[
        bool, typer.Option("--quick", help="The same sections from fewer runs and ratios.")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds from 0 up; each runs every class once.")
    ] = None,
    weights: Weights = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Worker processes; one a core if not given.")
    ] = None,
) -> None:
    """Measure what each way of reducing tokens costs in quality, on the shipped models.

    DIR gets evaluation.html (everything, on one page), evaluation.json (the figures behind it),
    evaluation.png (PSNR over the reduction, by matching) and frontier.png (PSNR over the work that
    attention is left with, by restore, ours and rivals). The figures do not depend on the number
    of jobs. Another model takes the place of the small one.

    Example: `orbis evaluate --quick -o build/evaluation`
    """
    from dataclasses import replace

    from software.library.extras import require

    require("study")
    from software.demo.geometry import LARGE, SMALL
    from software.demo.model import geometry_of, load_model, model_files
    from software.library.files import (
        check_outputs,
        output_folder,
        write_bytes,
        write_json,
        write_text,
    )
    from software.study.evaluation import page, report
    from software.study.evaluation.experiment import FULL, QUICK
    from software.study.evaluation.workers import measure_all

    experiment = QUICK if quick else FULL
    experiment = replace(experiment, seeds=experiment.seeds if seeds is None else seeds)
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    tasks = report.tasks(experiment)
    folder = output_folder(output)
    page_file, figures, headline = (
        folder / f"evaluation.{kind}" for kind in ("html", "json", "png")
    )
    frontier = folder / "frontier.png"
    folders = {SMALL: weights or SMALL.weights, LARGE: LARGE.weights}
    if weights is not None and (given := geometry_of(load_model(weights))) != SMALL:
        raise ValueError(
            f"{weights} holds a model of {math.prod(given.grid):,} tokens; it must be one of"
            f" {math.prod(SMALL.grid)}."
        )
    inputs = [file for each in folders.values() for file in model_files(each)]
    check_outputs([page_file, figures, headline, frontier], inputs=inputs)
    with progress_bar("measure", len(tasks)) as advance:
        found = measure_all(folders, tasks, jobs, advance)
    result = report.summary(experiment, found)
    picture, frontiers = page.headline_picture(result), page.frontier_pictures(result)
    html = page.render(experiment, found, result, picture, frontiers)
    write_json(figures, result)
    write_bytes(headline, picture)
    write_bytes(frontier, frontiers["psnr_over_work"])
    write_text(page_file, html)
    for claim in result["claims"]:
        print_line(claim["sentence"])
    for sentence in (*result["headline"]["multiples"], result["headline"]["dominance"]):
        print_line(sentence)
    print_line(f"{page_file} has all of it.")
