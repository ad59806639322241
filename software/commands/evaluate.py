"""``orbis evaluate``: what token reduction costs, method by method, as a page."""

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
    """Measure what each way of reducing tokens costs in quality, on the shipped model.

    DIR gets evaluation.html (everything, on one page), evaluation.json (the figures behind it) and
    evaluation.png (PSNR over the reduction). The figures do not depend on the number of jobs.

    Example: `orbis evaluate --quick -o build/evaluation`
    """
    from dataclasses import replace

    from software.library.extras import require

    require("study")
    from software.demo.model import WEIGHTS, model_files
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
    check_outputs([page_file, figures, headline], inputs=model_files(weights or WEIGHTS))
    with progress_bar("measure", len(tasks)) as advance:
        found = measure_all(weights or WEIGHTS, tasks, jobs, advance)
    result = report.summary(experiment, found)
    picture = page.headline_picture(result)
    html = page.render(experiment, found, result, picture)
    write_json(figures, result)
    write_bytes(headline, picture)
    write_text(page_file, html)
    for sentence in (*result["headline"]["multiples"], result["headline"]["dominance"]):
        print_line(sentence)
    print_line(f"{page_file} has all of it.")
