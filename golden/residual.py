"""How each src's result differed from its dst's at the full step, in few bits.

A reduced step that copies a dst's row to its src throws this difference away, although it hardly
changes from step to step; kept, it is added to what is copied.

Source: docs/definition.md, 'Restore with residual'. To first order this is what ResCa does with
proxies of clusters; DiTFastAttn, ClusCa and Delta Attention cache related differences.

Shapes: rows [.., N, C]; K pairs, src and dst int64 [.., K].
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from golden import validate
from golden.ambient import in_plain_mode
from golden.gather import put_rows, take_rows
from golden.options import BLOCK, ResidualOptions

_AT_ONCE = 1 << 21
"""Most values that are worked on at once: what bounds the memory."""
_NOTHING = -1000
"""The exponent of a channel that no pair differs in: float32 has 0 for 2 to its power."""


@dataclass(frozen=True)
class Residual:
    """The coded differences of K pairs.

    A channel's value of a pair is ``(2 code + 1) (scale + 1) 2^(exponent - 9) / levels``, with
    ``levels = 2^(bits - 1)`` and a signed code in -levels..levels - 1.

    Attributes:
        src: int64 [.., K].
        dst: int64 [.., K].
        codes: uint8 [.., K, bytes], the codes of a pair's channels plus ``levels``, as many to a
            byte as fit, the first in the lowest bits.
        scales: uint8 [.., K, blocks], one for each `BLOCK` neighbouring channels of a pair.
        exponents: int16 [.., 1, C], one for each channel.
        options: how they were coded, and with what gain they are added.
    """

    src: Tensor
    dst: Tensor
    codes: Tensor
    scales: Tensor
    exponents: Tensor
    options: ResidualOptions

    @classmethod
    @in_plain_mode
    def of(
        cls, rows: Tensor, src: Tensor, dst: Tensor, options: ResidualOptions = ResidualOptions()
    ) -> "Residual":
        """Code the differences ``rows[src] - gain rows[dst]``.

        Exact for float16 rows, and for all that float64 can subtract without rounding.

        Args:
            rows: float [.., N, C], the results of the full step.
            src: int64 [.., K].
            dst: int64 [.., K].
            options: bits and gain.

        Raises:
            ValueError: no pairs, or none of N tokens (see golden.reduce), or a difference that is
                infinite or not a number.
        """
        _check_pairs(rows, src, dst)
        found = [
            _code(take_rows(part, src).double() - options.gain * take_rows(part, dst).double(),
                  options.bits)
            for part in _blocks(rows, src)
        ]  # fmt: skip
        codes, scales, exponents = (torch.cat(parts, -1) for parts in zip(*found, strict=True))
        return cls(src, dst, codes, scales, exponents, options)

    @property
    def bytes(self) -> int:
        """What it takes beside src and dst."""
        parts = self.codes, self.scales, self.exponents
        return sum(part.numel() * part.element_size() for part in parts)

    def values(self, first: int = 0, last: int | None = None) -> Tensor:
        """Decode the pairs ``first`` to before ``last``: float32 [.., pairs, C]."""
        codes, scales = (part[..., first:last, :] for part in (self.codes, self.scales))
        channels, bits = self.exponents.shape[-1], self.options.bits
        shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=codes.device)
        mask, levels = (1 << bits) - 1, 1 << (bits - 1)
        odd = 2 * ((codes[..., None] >> shifts) & mask).flatten(-2)[..., :channels].float()
        wide = (scales.float() + 1).repeat_interleave(BLOCK, -1)[..., :channels]
        units = torch.exp2((self.exponents - 8 - bits).float())
        return (odd + (1 - 2 * levels)).mul_(wide).mul_(units)

    def restore_(self, rows: Tensor) -> Tensor:
        """Write every src's row, ``gain rows[dst] + value``, into [.., N, C]; returns it.

        Worked out in float32, or in the rows' dtype if that is wider. No dst may be a src.
        """
        pairs = self.src.shape[-1]
        step = max(1, _AT_ONCE * pairs // max(1, self.src.numel() * rows.shape[-1]))
        for first in range(0, pairs, step):
            src, dst = (part[..., first : first + step] for part in (self.src, self.dst))
            values = self.values(first, first + step)
            stand_ins = take_rows(rows, dst).to(torch.promote_types(rows.dtype, torch.float32))
            put_rows(rows, src, (stand_ins * self.options.gain + values).to(rows.dtype))
        return rows


def _check_pairs(rows: Tensor, src: Tensor, dst: Tensor) -> None:
    if not src.shape[-1]:
        raise ValueError("src lists 0 tokens; there must be a pair to code.")
    if src.shape != dst.shape or src.shape[:-1] != rows.shape[:-2]:
        raise ValueError(
            f"src has shape {list(src.shape)} and dst {list(dst.shape)} for rows of shape"
            f" {list(rows.shape)}; they must be pairs, with the leading sizes of the rows."
        )
    num_tokens = rows.shape[-2]
    for name, index in (("src", src), ("dst", dst)):
        validate.check_within(name, index, num_tokens)
    dropped = torch.zeros(rows.shape[:-1], dtype=torch.bool, device=rows.device)
    dropped.scatter_(-1, src, True)
    if int(dropped.sum()) != src.numel():
        raise ValueError("src lists a token twice; its tokens must be distinct.")
    if bool(dropped.gather(-1, dst).any()):
        raise ValueError("a dst is itself a src; a dst must be kept.")


def _blocks(rows: Tensor, src: Tensor) -> Iterator[Tensor]:
    """Parts of the channels, some blocks at a time: no part depends on another."""
    step = max(1, _AT_ONCE // max(1, src.numel() * BLOCK)) * BLOCK
    return iter(torch.split(rows, step, -1))


def _code(differences: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scales and exponents of float64 [.., K, C]; see `Residual`."""
    channels, levels = differences.shape[-1], 1 << (bits - 1)
    most = differences.abs().amax(-2, keepdim=True)
    if not bool(torch.isfinite(most).all()):
        raise ValueError("a result to keep is infinite or not a number; it must be finite.")
    exponents = torch.frexp(most)[1]
    parts = differences * torch.exp2(-exponents.double())
    blocks = _split(parts, BLOCK)
    scales = (256 * blocks.abs().amax(-1, keepdim=True)).floor()
    codes = (256 * levels * blocks / (scales + 1)).floor().flatten(-2)[..., :channels] + levels
    exponents = torch.where(most == 0, _NOTHING, exponents)
    return _pack(codes.to(torch.uint8), bits), scales[..., 0].to(torch.uint8), exponents.short()


def _pack(codes: Tensor, bits: int) -> Tensor:
    """Unsigned codes [.., C] into bytes, the first in the lowest bits."""
    places = _split(codes, 8 // bits)
    packed = torch.zeros_like(places[..., 0])
    for place in range(8 // bits):
        packed |= places[..., place] << (place * bits)
    return packed


def _split(channels: Tensor, size: int) -> Tensor:
    """Neighbours in groups, the last one filled up with zeros: [.., C] to [.., groups, size]."""
    filled = F.pad(channels, (0, -channels.shape[-1] % size))
    return filled.reshape(*filled.shape[:-1], -1, size)
