"""DATM, distribution-aware token matching: init, pairing, dst update, convergence, top-k.

Source: docs/definition.md. With bits=4 every number is an exact integer and the engine's RTL gives
the same ones; with bits=None the same loop runs on the tokens as they are, in floats.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import convergence, min_tree, sampler, validate
from golden.ambient import in_plain_mode
from golden.dau import Points
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from golden.spread import farthest_first
from golden.topk import topk
from golden.update import update


@dataclass(frozen=True)
class Pairing:
    """One pairing of all tokens with the dst slots.

    Attributes:
        slot: int64 [N], the slot of each token; a dst's is its own.
        loss: [N], distance of each token to its slot's dst, int64 or float32; 0 for a dst.
        total: L, the sum of all losses: int, or float (summed in float64).
    """

    slot: Tensor
    loss: Tensor
    total: int | float


@dataclass(frozen=True)
class Match:
    """What matching returns.

    Attributes:
        src: int64 [K], the tokens to drop, sorted by (loss, src).
        dst: int64 [K], the token that stands in for each.
        loss: [K], the distance of each pair: int64, or float32 where the tokens were floats.
        medoids: int64 [M], all dst tokens in slot order.
        loss_history: L of each pairing: ints, or floats where the tokens were floats.
        iterations: pairings done; the last one was with ``medoids``.
    """

    src: Tensor
    dst: Tensor
    loss: Tensor
    medoids: Tensor
    loss_history: tuple[int | float, ...]
    iterations: int


def pair(points: Points, dst: Tensor) -> Pairing:
    """Pair every token that is not a dst with its nearest slot.

    Args:
        points: the token set.
        dst: int64 [M], the token of each slot, distinct.
    """
    num_tokens = len(points.tokens)
    src = other_tokens(num_tokens, dst)
    slot = torch.empty(num_tokens, dtype=torch.int64, device=dst.device)
    slot[dst] = torch.arange(len(dst), device=dst.device)
    slot[src] = min_tree.nearest(points, src, dst)
    src_loss = points.pairs(src, dst[slot[src]])
    loss = src_loss.new_zeros(num_tokens).index_copy_(0, src, src_loss)
    return Pairing(slot, loss, loss.sum().item() if points.exact else loss.double().sum().item())


def other_tokens(num_tokens: int, dst: Tensor) -> Tensor:
    """List the tokens that are no dst, ascending: int64 [num_tokens - len(dst)]."""
    free = torch.ones(num_tokens, dtype=torch.bool, device=dst.device)
    free[dst] = False
    return free.nonzero().flatten()


def cheapest(pairing: Pairing, dst: Tensor, reduce: int) -> tuple[Tensor, Tensor, Tensor]:
    """Take the cheapest pairs of a pairing: src, dst and loss [reduce], sorted by (loss, src)."""
    candidates = other_tokens(len(pairing.slot), dst)
    loss, src = topk(pairing.loss[candidates], candidates, reduce)
    return src, dst[pairing.slot[src]], loss


@in_plain_mode
def match(
    tokens: Tensor | Quantized,
    num_dst: int,
    reduce: int,
    options: MatchOptions = MatchOptions(),
    *,
    bits: int | None = 4,
) -> Match:
    """Match tokens: find num_dst medoids and the reduce cheapest src.

    Args:
        tokens: [N, D], float16, bfloat16 or float32, or tokens that are already quantised.
        num_dst: M, 1..N - 1.
        reduce: K, 0..N - M.
        options: how to start and when to stop.
        bits: 4, which quantises float tokens by the defaults of golden.qe.quantize; None matches
            them as they are.

    Raises:
        ValueError: any of the above out of its range.
    """
    if bits not in (4, None):
        raise ValueError(f"bits is {bits}; it must be 4, or None for floats.")
    if isinstance(tokens, Quantized):
        if bits is None:
            raise ValueError("bits is None but the tokens are quantised; it must be 4 for them.")
    elif bits == 4:
        tokens = quantize(tokens)
    points = Points(tokens)
    num_tokens = len(points.tokens)
    validate.check_sizes(num_tokens, num_dst, reduce)
    if options.init is None:
        dst = (
            farthest_first(points, num_dst, options.seed)
            if options.spread
            else sampler.sample(num_tokens, num_dst, options.seed)
        )
    else:
        listed = validate.check_init(options.init, num_tokens, num_dst)
        dst = torch.tensor(listed, dtype=torch.int64)
    dst = dst.to(points.tokens.device)

    history: list[int | float] = []
    while True:
        pairing = pair(points, dst)
        history.append(pairing.total)
        if len(history) == options.max_iterations:
            break
        if len(history) > 1 and convergence.converged(
            history[-2], history[-1], options.epsilon_q16
        ):
            break
        moved = update(points, pairing.slot, dst)
        if torch.equal(moved, dst):
            break
        dst = moved

    src, stand_in, loss = cheapest(pairing, dst, reduce)
    return Match(src, stand_in, loss, dst, tuple(history), len(history))
