"""``orbis explore``: engines of many sizes by area, time and memory traffic."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from software.commands.area import yosys_refusals
from software.commands.cycles import sizes_of
from software.commands.options import Folder, Preset
from software.library.terminal import print_line, print_table, progress_bar

_PERIOD = 1.2
_MODELS = ("cogvideox-5b", "hunyuanvideo")


def explore(
    output: Folder,
    preset: Preset = "paper",
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=V,V", help="Values of a size; each crossed with the others'."
                     " Without any: array shapes, and then one size at a time."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Layers to match: cogvideox-5b, hunyuanvideo, or sizes"
                     " N,D,M,K. [default: the first two]"),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="TOKENS.npy", help="Tokens to count a match on; else those of a real"
                     " video, 17,550 of 3,072 channels."),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(metavar="N", help="Seeds of quality's runs, of three runs each; 0: none."),
    ] = 3,
    period: Annotated[
        float, typer.Option(metavar="NS", help="Clock period to map for at 45 nm, in ns.")
    ] = _PERIOD,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Worker processes; one a core if not given.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers do the work."),
    ] = None,
) -> None:  # fmt: skip
    """Measure engines of many sizes, and find those that no other beats in everything.

    DIR gets exploration.json and exploration.png: of each engine its area (mapped to the built-in
    library, memories by a model), and of each layer the cycles and the memory traffic (by the cycle
    model at 1 GHz, on counts of a match of real tokens, made for its lanes and scaled to the
    layer's size); of each quantiser what it does to the shipped model's videos, which is beside the
    front. A run that was killed goes on where it was: DIR/found keeps what
    was measured.

    Example: `orbis explore --vary src_lanes=4,8 --vary sorter_width=2,4 -o build/exploration`
    """
    from software.library.extras import require

    require("rtl", "synth", "study")
    from software.library.backends.presets import preset_config
    from software.library.files import check_outputs, output_folder, replacing, write_json
    from software.study.exploration.picture import plot
    from software.study.exploration.points import Workload
    from software.study.exploration.run import cluster, measure_all
    from software.study.exploration.space import DEFAULT_AXES, parse_axes, space_of
    from software.study.exploration.survey import Survey
    from synth.mapping import Flow
    from synth.scaling import BUDGET_SHARE, INSTANCE_MM2_28NM

    base = preset_config(preset)
    space = space_of(base, [parse_axes(vary)] if vary else DEFAULT_AXES)
    layers = []
    for name in model or _MODELS:
        known, sizes = sizes_of(name)
        layers.append(Workload(name, *sizes, known))
    Flow(period)
    survey = Survey(base, space.configs, tuple(layers), tokens, seeds, period)
    folder = output_folder(output)
    figures, picture = folder / "exploration.json", folder / "exploration.png"
    check_outputs([figures, picture], inputs=[] if tokens is None else [tokens])
    with (
        yosys_refusals(),
        progress_bar("measure", len(survey.tasks)) as advance,
        cluster(scheduler, jobs) as client,
    ):
        found = measure_all(client, survey.tasks, output_folder(folder / "found"), advance)
    points = survey.summary(found)
    made_from = {
        "preset": preset, "vary": vary, "period_ns": period, "seeds": seeds,
        "tokens": None if tokens is None else tokens.name,
    }  # fmt: skip
    write_json(figures, {"made_from": made_from, "skipped": space.skipped, "points": points})
    budget = BUDGET_SHARE * INSTANCE_MM2_28NM
    with replacing(picture) as partial:
        plot(partial, points, {"the paper's engine": budget, "half of it": budget / 2})
    _print(points)
    print_line(f"{len(points)} engines; those above are on the front, or presets.")
    if space.skipped:
        print_line(f"* {space.skipped} combinations are no engine.")
    print_line(f"{picture} has all.")


def _print(points: Sequence[Mapping[str, Any]]) -> None:
    layers = list(points[0]["layers"])
    print_table(
        (
            "engine", "lanes", "mm2 (28 nm)", "ps (45 nm)",
            *(f"{name}: {what}" for name in layers for what in ("margin", "traffic", "busy")), "dB",
        ),
        (
            (
                point["preset"] or point["name"], point["lanes"],
                f"{point['area']['mm2']['28']:.3f}", f"{point['area']['longest_path_ps']:,.0f}",
                *(cell for name in layers for cell in _cells(point["layers"][name])),
                "" if point["quality"] is None else f"{point['quality']['gain']:+.2f}",
            )
            for point in points if point["front"] or point["preset"]
        ),
    )  # fmt: skip


def _cells(layer: Mapping[str, Any]) -> tuple[str, str, str]:
    margin = layer["margin"]
    return (
        f"{layer['cycles']:,} cycles" if margin is None else f"{margin:.2f}",
        f"{layer['bandwidth_share']:.1%}",
        f"{layer['utilisation']:.1%}",
    )
