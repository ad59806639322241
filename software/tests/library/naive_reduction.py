"""Token reduction, slowly and plainly: the definition, to hold the real one against.

The model's own attention processors run; only inside SDPA, rows are deleted one by one, each
head's scores are worked out with softmax as written, and results are copied back. Nothing here
knows projections, norms, rotary embeddings or families, but for where the text lies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from golden.tests.slow_residual import slow_values
from software.library.config import OrbisConfig
from software.tests.library.tiny import Tiny

Lists = tuple[list[int], list[int]]
"""src and dst."""


@dataclass(frozen=True)
class NaiveRestore:
    """What a src's result is, from the results of the full step and from those of the kept tokens.

    Attributes:
        config: says how.
    """

    config: OrbisConfig

    def write(self, now: Tensor, full: Tensor, src: Sequence[int], dst: Sequence[int]) -> None:
        """Write the src rows of [N, C], in place."""
        config, gain = self.config, self.config.residual_gain
        if config.restore == "residual":
            coded = slow_values(
                full.tolist(), list(src), list(dst), config.residual_bits, Fraction(gain)
            )
        for number, (gone, kept) in enumerate(zip(src, dst, strict=True)):
            if config.restore == "cache":
                now[gone] = full[gone]
            elif config.restore == "copy":
                now[gone] = now[kept]
            else:
                now[gone] = gain * now[kept] + torch.tensor([float(v) for v in coded[number]])


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, times: Sequence[int]
) -> Tensor:
    """Attention of one head: rows [S, d]; ``times`` says how often each key is there."""
    scores = query @ key.T / query.shape[1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else (
            scores + mask
        )  # fmt: skip
    columns = [column for column, count in enumerate(times) for _ in range(count)]
    weights: Tensor = scores[:, columns].softmax(dim=1)
    return weights.nan_to_num(0) @ value[columns]  # a query that may see no key gets zeros


@dataclass
class NaiveSdpa(TorchFunctionMode):
    """Replaces SDPA within the watched layers.

    Attributes:
        tiny: tells where the video rows are.
        pairs: ``pairs(layer, sample, head, part)`` with part "q" or "kv": lists of src and dst;
            None leaves attention to torch, and notes its calls.
        config: whether a dst's key is there once for each token that it stands for, and what a
            src's result is, where ``full`` is given; a copy of its dst's where it is not.
        full: SDPA's results of the full step: [B, H, N, d] of each layer's call.
        calls: layer, Q, V and result of each call in a watched layer, of the joint sequence.
    """

    tiny: Tiny
    pairs: Callable[[int, int, int, str], Lists] | None
    config: OrbisConfig
    full: Sequence[Tensor] = ()
    layer: int | None = field(default=None, init=False)
    sample: int = field(default=0, init=False)
    calls: list[tuple[int, Tensor, Tensor, Tensor]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        super().__init__()

    def watch(self, layers: Sequence[nn.Module]) -> None:
        """Tell when each of the layers runs."""

        def enter(number: int) -> Callable[..., None]:
            def hook(*_: Any) -> None:
                self.layer, self.sample = number, 0

            return hook

        def leave(*_: Any) -> None:
            self.layer = None

        for number, layer in enumerate(layers):
            layer.register_forward_pre_hook(enter(number))
            layer.register_forward_hook(leave)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is not F.scaled_dot_product_attention or self.layer is None:
            return function(*args, **kwargs)
        names = ("query", "key", "value", "attn_mask")
        query, key, value, mask = [
            args[place] if place < len(args) else kwargs.get(name)
            for place, name in enumerate(names)
        ]
        if self.pairs is None:
            self.calls.append((self.layer, query, value, function(*args, **kwargs)))
            return self.calls[-1][-1]
        out = torch.empty_like(query)
        for sample in range(len(query)):
            for head in range(query.shape[1]):
                only = None
                if mask is not None:
                    wide = mask.expand(len(query), query.shape[1], query.shape[2], key.shape[2])
                    only = wide[sample, head]
                rows = query[sample, head], key[sample, head], value[sample, head]
                out[sample, head] = self._head(*rows, only, sample + self.sample, head)
        self.sample += len(query)  # a processor may go through its batch itself
        self.calls.append((self.layer, query, value, out))
        return out

    def video(self, joint: Tensor) -> Tensor:
        """The video's rows of the joint sequence: [B, H, N + T, d] to [B, H, N, d]."""
        first = joint.shape[2] - self.tiny.num_tokens if self.tiny.text_first else 0
        return joint[:, :, first : first + self.tiny.num_tokens]

    def results(self) -> list[Tensor]:
        """SDPA's results for the video's rows, [B, H, N, d], layer by layer."""
        layers = sorted({layer for layer, *_ in self.calls})
        return [
            torch.cat([self.video(out) for layer, *_, out in self.calls if layer == at])
            for at in layers
        ]

    def _head(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, sample: int, head: int
    ) -> Tensor:
        assert self.layer is not None
        assert self.pairs is not None
        pairs = self.pairs
        first = len(query) - self.tiny.num_tokens if self.tiny.text_first else 0
        (src, dst), (kv_src, kv_dst) = (
            [[first + token for token in tokens] for tokens in
             pairs(self.layer, sample, head, part)] for part in ("q", "kv")
        )  # fmt: skip
        rows = [row for row in range(len(query)) if row not in src]
        columns = [row for row in range(len(key)) if row not in kv_src]
        times = [1 + (kv_dst.count(row) if self.config.proportional else 0) for row in columns]
        mask = None if mask is None else mask[rows][:, columns]
        out = torch.zeros_like(query)
        out[rows] = attend(query[rows], key[columns], value[columns], mask, times)
        if self.full:
            video = slice(first, first + self.tiny.num_tokens)
            before = self.full[self.layer][sample, head]
            tokens = [[token - first for token in each] for each in (src, dst)]
            NaiveRestore(self.config).write(out[video], before, *tokens)
            return out
        for gone, kept in zip(src, dst, strict=True):
            out[gone] = out[kept]
        return out
