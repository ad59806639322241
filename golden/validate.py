"""Boundary checks of the golden model: each raises ValueError, one sentence with value and rule.

Source: docs/definition.md, 'Bad input'. Inner functions trust what passed here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from golden.scalars import integer

TOKEN_DTYPES = (torch.float16, torch.bfloat16, torch.float32)

# Integers up to this size, and every sum of them that stays below it, are exact in float64.
EXACT_FLOAT64 = 1 << 53


def all_finite(tokens: Tensor) -> bool:
    """Whether no value is NaN or infinite: either would be the least or the largest value."""
    return bool(torch.isfinite(torch.stack(torch.aminmax(tokens))).all())


def check_tokens(tokens: Tensor) -> None:
    """Refuse a token matrix that is not [N, D], N and D at least 1, finite floats."""
    if not isinstance(tokens, Tensor):
        raise ValueError(f"tokens are a {type(tokens).__name__}; they must be a torch.Tensor.")
    if tokens.ndim != 2:
        raise ValueError(
            f"tokens have shape {list(tokens.shape)}; they must be a matrix [tokens, channels]."
        )
    if tokens.dtype not in TOKEN_DTYPES:
        raise ValueError(
            f"tokens have dtype {str(tokens.dtype).removeprefix('torch.')}; "
            "it must be float16, bfloat16 or float32."
        )
    if 0 in tokens.shape:
        raise ValueError(
            f"tokens have shape {list(tokens.shape)}; at least 1 token and 1 channel are needed."
        )
    if not all_finite(tokens):
        token, channel = (~torch.isfinite(tokens)).nonzero()[0].tolist()
        raise ValueError(
            f"token {token}, channel {channel} is {tokens[token, channel].item()}; "
            "every value must be finite."
        )


def check_quantized(q: Tensor, weight: Tensor) -> None:
    """Refuse quantised tokens that are not uint8[N, D] in 0..15 with D weights in 0..65535."""
    if q.ndim != 2 or q.dtype != torch.uint8 or 0 in q.shape:
        raise ValueError(
            f"quantised tokens have shape {list(q.shape)} and dtype "
            f"{str(q.dtype).removeprefix('torch.')}; they must be uint8 [tokens, channels]."
        )
    if int(q.max()) > 15:
        raise ValueError(f"quantised tokens reach {int(q.max())}; they must lie in 0..15.")
    if weight.shape != q.shape[1:] or weight.dtype != torch.int64:
        raise ValueError(
            f"weights have shape {list(weight.shape)} and dtype "
            f"{str(weight.dtype).removeprefix('torch.')}; they must be int64 [{q.shape[1]}]."
        )
    if int(weight.min()) < 0 or int(weight.max()) > 0xFFFF:
        raise ValueError(
            f"weights reach from {int(weight.min())} to {int(weight.max())}; "
            "they must lie in 0..65535."
        )
    # The largest number that any stage forms: the update's 2 <x, S> (see golden.update).
    bound = 2 * 225 * q.shape[0] * int(weight.sum())
    if bound > EXACT_FLOAT64:
        raise ValueError(
            f"{q.shape[0]} tokens with a weight sum of {int(weight.sum())} need integers up to "
            f"{bound}; they must stay within 2^53."
        )


def check_sizes(num_tokens: int, num_dst: int, reduce: int) -> None:
    """Refuse num_dst outside 1..N-1 and reduce outside 0..N-num_dst."""
    num_dst, reduce = integer("num_dst", num_dst), integer("reduce", reduce)
    if num_dst < 1:
        raise ValueError(f"num_dst is {num_dst}; it must be at least 1.")
    if num_dst >= num_tokens:
        raise ValueError(
            f"num_dst is {num_dst}; it must be less than the number of tokens, {num_tokens}."
        )
    if reduce < 0:
        raise ValueError(f"reduce is {reduce}; it must be at least 0.")
    if reduce > num_tokens - num_dst:
        raise ValueError(
            f"reduce is {reduce}; it must be at most the number of src tokens, "
            f"{num_tokens} - {num_dst} = {num_tokens - num_dst}."
        )


def check_init(init: Sequence[int] | Tensor, num_tokens: int, num_dst: int) -> list[int]:
    """Refuse an initial dst list that is not num_dst distinct tokens; return it as a list."""
    if isinstance(init, Tensor) and (
        init.ndim != 1 or init.is_floating_point() or init.dtype == torch.bool
    ):
        raise ValueError(
            f"init has shape {list(init.shape)} and dtype "
            f"{str(init.dtype).removeprefix('torch.')}; it must be a list of integers."
        )
    listed = init.tolist() if isinstance(init, Tensor) else list(init)
    if len(listed) != num_dst:
        raise ValueError(f"init lists {len(listed)} tokens; it must list num_dst = {num_dst}.")
    seen: set[int] = set()
    for token in listed:
        try:
            whole = not isinstance(token, bool) and int(token) == token
        except (TypeError, ValueError, OverflowError):
            whole = False
        if not whole:
            raise ValueError(f"init lists {token}; its tokens must be integers.")
        if not 0 <= token < num_tokens:
            raise ValueError(f"init lists token {token}; it must lie in 0..{num_tokens - 1}.")
        if token in seen:
            raise ValueError(f"init lists token {token} twice; its tokens must be distinct.")
        seen.add(token)
    return listed


def check_scale(scale_group: int, weight_bits: int) -> None:
    """Refuse a scale group below 1 and a weight outside 1..16 bits."""
    if scale_group < 1:
        raise ValueError(f"scale_group is {scale_group}; it must be at least 1.")
    if not 1 <= weight_bits <= 16:
        raise ValueError(f"weight_bits is {weight_bits}; it must lie in 1..16.")


def check_within(name: str, index: Tensor, num_tokens: int) -> None:
    """Refuse token indices, as many as there are, of which one is none of N tokens."""
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < num_tokens:
        raise ValueError(
            f"{name} reaches from {int(index.min())} to {int(index.max())}; it must lie in"
            f" 0..{num_tokens - 1}."
        )
