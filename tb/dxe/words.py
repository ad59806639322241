"""Words: many floats in one port, as numbers of their bits."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tb.streams import unsigned

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""By token format."""
Bits = NDArray[np.int64]


def joined(values: Bits, bits_each: int) -> int:
    """Values as one number, the first lowest; ``bits_each`` is 1 or fills bytes."""
    if bits_each == 1:
        return int.from_bytes(
            np.packbits(values.astype(bool), bitorder="little").tobytes(), "little"
        )
    return int.from_bytes(values.astype(f"<u{bits_each // 8}").tobytes(), "little")


def split(value: Any, count: int, bits_each: int) -> Bits:
    """The values of a port."""
    raw = unsigned(value).to_bytes(count * bits_each // 8, "little")
    return np.frombuffer(raw, f"<u{bits_each // 8}").astype(np.int64)


def floats(values: Bits, token_format: str) -> torch.Tensor:
    """16-bit floats of these bits."""
    return torch.from_numpy(values.astype(np.uint16).view(np.int16)).view(DTYPES[token_format])


def bits(values: NDArray[np.float32]) -> Bits:
    """Bits of float32."""
    return values.view(np.uint32).astype(np.int64)
