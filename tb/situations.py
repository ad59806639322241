"""Which situations of the definition a job brings about, found from the definition alone."""

from collections import Counter
from collections.abc import Iterator

import torch

from golden.convergence import converged
from golden.datm import Pairing, other_tokens, pair
from golden.dau import Points, distances
from golden.qe import Quantized
from golden.sampler import sample
from golden.update import scores, update
from tb.jobs import MatchCase

SIZES = {
    "N = M + 1": "one src",
    "M = 1": "one dst",
    "K = 0": "nothing is reduced",
    "K = N - M": "every src is",
    "D = 1": "one channel",
    "a chunk that channels do not fill": "weights of 0 behind channel D",
    "a src tile that src do not fill": "fewer src than are on chip at once",
    "a last group of src that is short": "fewer than Q",
    "a last dst tile that is short": "fewer than P",
    "a list of the host": "no sampling",
    "every pair is asked for": "`every_pair`",
}
"""Of a job's sizes and choices."""
RUNS = {
    "one pairing": "no update, or one that moves nothing",
    "four pairings or more": "the incremental rules act on what they left themselves",
    "ended by epsilon": "L hardly changed",
    "ended by the most pairings": "`max_pairings`",
    "ended as nothing moved": "an update that moves no slot",
    "two nearest slots at one distance": "the lower slot has it",
    "equal losses at the end of the list": "of pair K and the next one: the lower src is reduced",
    "a dst as near the mean as another member": "it stays",
    "two members nearest the mean, neither a dst": "the lower token becomes dst",
    "a group of its dst alone": "no src was paired with it",
}
"""Of a run as the definition has it."""
PAIRINGS = {
    "own slot stays, and the src with it": "no moved slot is as near",
    "own slot stays, a moved one is nearer": "the src changes its group",
    "own slot stays, a lower moved one is as near": "the src changes its group",
    "own slot stays, a higher moved one is as near": "the src stays",
    "own slot moved, a moved one is nearest": "nearer than the second least distance before",
    "own slot moved, and a moved one is as near as the second least": "all slots are asked",
    "own slot moved, an unmoved one is nearest": "all slots are asked",
    "a src that was a dst": "all slots are asked",
    "an update that moves every slot": "both passes compare with all",
}
"""Of a src in a pairing after an update (docs/definition.md, 'Exact savings')."""


def of_job(case: MatchCase) -> Counter[str]:
    """How often each situation comes in a job."""
    return Counter([*_sizes(case), *_run(case)])


def _sizes(case: MatchCase) -> Iterator[str]:
    config, sizes = case.config, case.sizes
    checks = (
        sizes.num_src == 1,
        sizes.num_dst == 1,
        case.reduce == 0,
        case.reduce == sizes.num_src,
        sizes.channels == 1,
        sizes.channels % config.channel_lanes != 0,
        sizes.num_src < config.resident_src,
        sizes.num_src % config.src_lanes != 0,
        sizes.num_dst % config.dst_lanes != 0,
        case.options.init is not None,
        case.every_pair,
    )
    for name, holds in zip(SIZES, checks, strict=True):
        if holds:
            yield name


def _run(case: MatchCase) -> Iterator[str]:
    """The run once more, step by step, with the parts of the golden model."""
    options, quantized = case.options, case.quantized()
    points = Points(quantized)
    tokens = len(points.tokens)
    dst = (
        torch.tensor(options.init)
        if options.init is not None
        else sample(tokens, case.num_dst, options.seed)
    )
    history: list[int | float] = []
    before: tuple[torch.Tensor, Pairing] | None = None
    while True:
        pairing = pair(points, dst)
        yield from _ties(quantized, pairing, dst)
        if before is not None:
            yield from _after_update(quantized, *before, dst)
        history.append(pairing.total)
        if len(history) == options.max_iterations:
            yield "ended by the most pairings"
            break
        if len(history) > 1 and converged(history[-2], history[-1], options.epsilon_q16):
            yield "ended by epsilon"
            break
        yield from _groups(points, pairing, dst)
        moved = update(points, pairing.slot, dst)
        if torch.equal(moved, dst):
            yield "ended as nothing moved"
            break
        before, dst = (dst, pairing), moved
    if len(history) == 1:
        yield "one pairing"
    if len(history) >= 4:
        yield "four pairings or more"
    losses = pairing.loss[other_tokens(tokens, dst)].sort().values
    if 0 < case.reduce < len(losses) and losses[case.reduce - 1] == losses[case.reduce]:
        yield "equal losses at the end of the list"


def _ties(quantized: Quantized, pairing: Pairing, dst: torch.Tensor) -> Iterator[str]:
    src = other_tokens(len(pairing.slot), dst)
    nearest = distances(quantized, src, dst) == pairing.loss[src, None]
    yield from ["two nearest slots at one distance"] * int((nearest.sum(1) > 1).sum())


def _groups(points: Points, pairing: Pairing, dst: torch.Tensor) -> Iterator[str]:
    """Of the groups that an update walks over."""
    score = scores(points, pairing.slot, len(dst))
    for slot, own in enumerate(dst.tolist()):
        members = (pairing.slot == slot).nonzero().flatten()
        best = members[score[members] == score[members].min()].tolist()
        if len(members) == 1:
            yield "a group of its dst alone"
        elif len(best) > 1:
            yield (
                "a dst as near the mean as another member"
                if own in best
                else "two members nearest the mean, neither a dst"
            )


def _after_update(
    quantized: Quantized, old_dst: torch.Tensor, old: Pairing, dst: torch.Tensor
) -> Iterator[str]:
    """Of each src in the pairing that follows an update."""
    moved = (dst != old_dst).nonzero().flatten()
    if len(moved) == len(dst):
        yield "an update that moves every slot"
    src = other_tokens(len(old.slot), dst)
    now = distances(quantized, src, dst)
    then = distances(quantized, src, old_dst)
    for row, token in enumerate(src.tolist()):
        if token in old_dst.tolist():
            yield "a src that was a dst"
            continue
        slot = int(old.slot[token])
        least, found = now[row, moved].min(), int(moved[now[row, moved].argmin()])
        others = [int(then[row, other]) for other in range(len(dst)) if other != slot]
        if slot in moved.tolist():
            second = min(others, default=None)
            if second is None or least < second:
                yield "own slot moved, a moved one is nearest"
            elif least == second:
                yield "own slot moved, and a moved one is as near as the second least"
            else:
                yield "own slot moved, an unmoved one is nearest"
            continue
        kept = now[row, slot]
        if least > kept:
            yield "own slot stays, and the src with it"
        elif least < kept:
            yield "own slot stays, a moved one is nearer"
        else:
            height = "lower" if found < slot else "higher"
            yield f"own slot stays, a {height} moved one is as near"
