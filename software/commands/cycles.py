"""``orbis cycles``: what matching a layer takes on an engine, and whether it can be hidden."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from software.commands.options import Preset
from software.library.terminal import print_json, print_line, print_summary, print_table
from system.arrangement import Arrangement, LayerMatch, layer_match
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics, measured, measured_names
from system.memory import Memory
from system.models import INSTANCES, MODELS, VideoModel

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULT = "cogvideox-5b"


def cycles(
    model: Annotated[
        str,
        typer.Option(metavar="MODEL", help="cogvideox-5b, hunyuanvideo, or the sizes N,D,M,K."),
    ] = _DEFAULT,
    preset: Preset = "paper",
    statistics: Annotated[
        Path | None,
        typer.Option(metavar="STATS.json", help="What orbis statistics has counted; else what was"
                     " counted on real video."),
    ] = None,
    arrangement: Annotated[
        Arrangement,
        typer.Option(help="own: each of E engines takes every E-th layer whole; shared: all take"
                     " each layer together."),
    ] = "own",
    engines: Annotated[
        int, typer.Option(metavar="E", help="Engines that 38 instances of the accelerator have.")
    ] = INSTANCES,
    latency: Annotated[
        int, typer.Option(metavar="L", help="Cycles that memory takes to answer.")
    ] = Memory.latency,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:  # fmt: skip
    """Model the cycles and the memory traffic of matching a layer, stage by stage.

    Nothing is simulated: the figures follow from the engine's sizes and from counts of what a match
    does; counts of another size are scaled by their shares. For an own layer an engine has E layer
    times, for a shared one a single one, with all arrays always busy. Lanes are useful where they
    compare a channel of a src with one of a dst, partial tiles aside.

    Example: `orbis cycles --model hunyuanvideo --arrangement own`
    """
    from software.library.backends.presets import preset_config

    known, (tokens, channels, num_dst, reduce) = sizes_of(model)
    engine = EngineShape.from_dict(preset_config(preset).as_dict())
    job = JobShape(engine, tokens, channels, num_dst, reduce)
    memory = Memory(latency)
    counted, source = _statistics(statistics, model)
    sizes = (tokens, channels, num_dst)
    scaled = (counted.tokens, counted.channels, counted.num_dst) != sizes
    notes = _notes(counted, engine, scaled=scaled)
    match = layer_match(job, counted.scaled(*sizes), memory, arrangement, known, engines)
    found = {
        "preset": preset,
        "model": model,
        "arrangement": arrangement,
        "engines": engines,
        "tokens": tokens,
        "channels": channels,
        "num_dst": num_dst,
        "reduce": reduce,
        "latency": latency,
        "statistics": source,
        "scaled": scaled,
        "notes": notes,
        **_figures(match, known),
    }
    if as_json:
        print_json(found)
    else:
        _print(found)


def sizes_of(model: str) -> tuple[VideoModel | None, tuple[int, int, int, int]]:
    """The model, if it is one, and N, D, M, K."""
    if model in MODELS:
        known = MODELS[model]
        return known, (known.video_tokens, known.width, known.num_dst, known.reduce)
    parts = model.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(
            f"model is {model!r}; it must be one of {', '.join(MODELS)}, or four whole numbers"
            " N,D,M,K."
        )
    tokens, channels, num_dst, reduce = map(int, parts)
    return None, (tokens, channels, num_dst, reduce)


def _statistics(path: Path | None, model: str) -> tuple[MatchStatistics, str]:
    """Counts, and where they are from."""
    if path is None:
        name = model if model in measured_names() else _DEFAULT
        return measured(name), f"shipped: {name}'s size, of real video"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON.") from error
    return MatchStatistics.from_dict(content), str(path)


def _notes(counted: MatchStatistics, engine: EngineShape, *, scaled: bool) -> "Sequence[str]":
    notes = []
    if scaled:
        notes.append(
            f"counts of {counted.tokens:,} tokens of {counted.channels:,} channels and"
            f" {counted.num_dst:,} dst, scaled by their shares"
        )
    lanes = (engine.dst_lanes, engine.src_lanes, engine.channel_lanes)
    if counted.lanes is None:
        notes.append("no comparison ends early: the counts do not tell how far they go")
    elif counted.lanes != lanes:
        notes.append(
            "how far comparisons go was counted for {} dst, {} src and {} channels at once".format(
                *counted.lanes
            )
        )
    return notes


def _figures(match: LayerMatch, model: VideoModel | None) -> dict[str, Any]:
    total, bus = match.cost.total, match.bus_bytes
    return {
        "stages": [
            {
                "stage": stage,
                "part": name,
                "cycles": round(cost.cycles),
                "share": cost.cycles / total.cycles,
                "bytes_read": cost.read * bus,
                "bytes_written": cost.written * bus,
            }
            for stage, name, cost in match.cost.parts
        ],
        "cycles": round(total.cycles),
        "bytes_read": total.read * bus,
        "bytes_written": total.written * bus,
        "layer_mac": None if model is None else model.layer_mac,
        "layer_cycles": None if model is None else round(model.layer_cycles),
        "available_cycles": None if match.available is None else round(match.available),
        "hidden": match.hidden,
        "margin": match.margin,
        "bytes_a_cycle": match.bytes_a_cycle,
        "bandwidth_share": match.bandwidth_share,
        "utilisation": match.utilisation,
    }


def _print(found: dict[str, Any]) -> None:
    print_table(
        ("part", "cycles", "share", "MB read", "MB written"),
        (
            (
                each["part"], f"{each['cycles']:,}", f"{each['share']:.1%}",
                f"{each['bytes_read'] / 1e6:,.2f}", f"{each['bytes_written'] / 1e6:,.2f}",
            )
            for each in found["stages"]
        ),
    )  # fmt: skip
    lines = {
        "job": f"{found['tokens']:,} tokens of {found['channels']:,} channels, {found['num_dst']:,}"
        f" dst, {found['reduce']:,} reduced, on preset {found['preset']}",
        "statistics": found["statistics"],
        "in all": f"{found['cycles']:,} cycles, {found['cycles'] / 1e6:,.1f} ms at 1 GHz",
    }
    if found["hidden"] is not None:
        own = f"one layer in {found['engines']}, whole"
        share = own if found["arrangement"] == "own" else "its part of each"
        lines["a layer"] = (
            f"{found['layer_cycles'] / 1e6:,.1f} ms on {INSTANCES} instances"
            f" ({found['layer_mac'] / 1e12:,.2f} TMAC); each of {found['engines']} engines takes"
            f" {share}; it has"
            f" {found['available_cycles'] / 1e6:,.1f} ms"
        )
        lines["hidden"] = (
            f"{'yes' if found['hidden'] else 'no'}: there are {found['margin']:.2f} times the"
            " cycles that are needed"
        )
    lines["memory"] = (
        f"{found['bytes_a_cycle']:.2f} bytes a cycle, {found['bandwidth_share']:.1%} of an"
        " engine's share"
    )
    lines["lanes"] = f"{found['utilisation']:.1%} useful from a pass's begin to its end"
    print_summary(lines)
    for note in found["notes"]:
        print_line(f"* {note}")
