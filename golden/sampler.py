"""Initial dst list: M of N tokens, uniformly at random, from a 32-bit seed.

Source: docs/definition.md, 'Init': xorshift32 draws drive selection sampling (Knuth, The Art of
Computer Programming, volume 2, section 3.4.2, Algorithm S).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from golden import validate
from golden.options import check_seed

_MASK = 0xFFFFFFFF
_SEED_XOR = 0x9E3779B9
_DISCARDED = 8


def xorshift32(state: int) -> Iterator[int]:
    """Draw endlessly after a state that is not 0; shifts 13 left, 17 right, 5 left."""
    while True:
        state ^= state << 13 & _MASK
        state ^= state >> 17
        state ^= state << 5 & _MASK
        yield state


def draws(seed: int) -> Iterator[int]:
    """Start the sampler's generator: seed whitened, never state 0, first 8 draws discarded."""
    check_seed(seed)
    generator = xorshift32(seed ^ _SEED_XOR or 1)
    for _ in range(_DISCARDED):
        next(generator)
    return generator


def sample(num_tokens: int, num_dst: int, seed: int) -> Tensor:
    """Choose num_dst of num_tokens tokens: int64 [num_dst], ascending; slot j is entry j.

    Raises:
        ValueError: num_dst outside 1..num_tokens - 1, or seed outside 0..2^32 - 1.
    """
    validate.check_sizes(num_tokens, num_dst, 0)
    taken: list[int] = []
    for token, draw in enumerate(draws(seed)):
        if draw * (num_tokens - token) < (num_dst - len(taken)) << 32:
            taken.append(token)
            if len(taken) == num_dst:
                break
    return torch.tensor(taken, dtype=torch.int64)
