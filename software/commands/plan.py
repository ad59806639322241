"""``orbis plan``: what reduction would do to a published video model, from its sizes alone."""

from typing import Annotated, Any

import typer

from software.commands.options import Ratio, RcSteps, Restores, TargetsOption, WarmUp
from software.library.config import OrbisConfig
from software.library.terminal import print_json, print_summary, print_table

_KINDS = {"sdpa": "SDPA", "projections": "projections", "feed_forward": "feed-forward"}


def plan(
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A published model; all if not named.")
    ] = None,
    ratio: Ratio = OrbisConfig.ratio,
    targets: TargetsOption = OrbisConfig.targets,
    restore: Restores = OrbisConfig.restore,
    rc_steps: RcSteps = OrbisConfig.rc_steps,
    warm_up: WarmUp = OrbisConfig.warmup_steps,
    dst_fraction: Annotated[
        float, typer.Option(metavar="F", help="Dst tokens, of the video tokens.")
    ] = OrbisConfig.dst_fraction,
    steps: Annotated[
        int | None, typer.Option(metavar="K", help="Steps in all; the model's own by default.")
    ] = None,
    frames: Annotated[int | None, typer.Option(metavar="T", help="Frames of the video.")] = None,
    height: Annotated[int | None, typer.Option(metavar="H", help="Rows of pixels.")] = None,
    width: Annotated[int | None, typer.Option(metavar="W", help="Columns of pixels.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:  # fmt: skip
    """Count the tokens and the work of published video models, without and with reduction.

    Nothing is loaded or run: the figures follow from published sizes. Work is counted in
    multiply-accumulates of attention and feed-forward layers; time depends on the machine.

    Memory is what one sample keeps from step to step for the reduced ones, beside what caching the
    attention results would keep, in 16 bits; guidance has two samples.

    Example: `orbis plan --model cogvideox-5b --ratio 0.75`
    """
    from software.library.workload import MODELS, workload

    if model is None and (frames, height, width) != (None, None, None):
        raise ValueError("a video's size needs --model: sizes that suit one model suit no other.")
    config = OrbisConfig(
        ratio=ratio, targets=targets, restore=restore, rc_steps=rc_steps, warmup_steps=warm_up,
        dst_fraction=dst_fraction,
    )  # fmt: skip
    found = [
        workload(name, config, steps=steps, frames=frames, height=height, width=width)
        for name in (MODELS if model is None else [model])
    ]
    if as_json:
        print_json(found if model is None else found[0])
    elif model is None:
        _print_all(found)
    else:
        _print_one(found[0])


def _print_all(found: list[dict[str, Any]]) -> None:
    print_table(
        ("model", "video tokens", "channels", "layers", "TMAC a step", "SDPA of it", "less in a"
         " reduced step", "less in all", "kept, GiB"),
        (
            (
                each["model"], each["video_tokens"], each["channels"], each["layers"],
                f"{sum(each['full_step_mac'].values()) / 1e12:,.1f}",
                f"{each['full_step_mac']['sdpa'] / sum(each['full_step_mac'].values()):.0%}",
                f"{each['work_saved_in_reduced_step']:.0%}", f"{each['work_saved']:.0%}",
                f"{each['kept_bytes'] / 2**30:.2f}",
            )
            for each in found
        ),
    )  # fmt: skip


def _print_one(each: dict[str, Any]) -> None:
    video = each["video"]
    full, reduced = each["full_step_mac"], each["reduced_step_mac"]
    facts = {
        "model": f"{each['model']} ({each['source']}), {each['layers']} layers of"
        f" {each['channels']} channels",
        "video": f"{video['frames']} frames of {video['height']} x {video['width']}:"
        f" {each['video_tokens']:,} tokens, and {each['text_tokens']} of text",
        "dropped": f"{each['dropped']:,} tokens a layer in {each['reduced_steps']} of"
        f" {each['steps']} steps; {each['num_dst']:,} dst",
        "kept in memory": f"{each['kept_bytes'] / each['layers'] / 2**20:,.1f} MiB a layer,"
        f" {each['kept_bytes'] / 2**30:,.2f} GiB in all, index lists among it"
        f" ({each['index_bytes'] / 2**20:,.1f} MiB); {each['kept_share_of_caching']:.1%} of what"
        " caching the attention results takes",
    }
    for key, name in _KINDS.items():
        facts[name] = (
            f"{full[key] / 1e12:,.2f} TMAC a full step, {reduced[key] / 1e12:,.2f} a reduced one"
            f" ({1 - reduced[key] / full[key]:.0%} less)"
        )
    facts["work in all"] = (
        f"{each['work_saved_in_reduced_step']:.0%} less in a reduced step, {each['work_saved']:.0%}"
        f" less over all steps ({each['full_steps_first']} full ones first)"
    )
    print_summary(facts)
