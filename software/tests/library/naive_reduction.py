"""Token reduction, slowly and plainly: the definition, to hold the real one against.

The model's own attention processors run; only inside SDPA, rows are deleted one by one, each
head's scores are worked out with softmax as written, and results are copied back. Nothing here
knows projections, norms, rotary embeddings or families, but for where the text lies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from software.tests.library.tiny import Tiny

Lists = tuple[list[int], list[int]]
"""src and dst."""


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
        pairs: ``pairs(layer, sample, head, part)`` with part "q" or "kv": lists of src and dst.
        proportional: whether a dst's key is there once for each token that it stands for.
        calls: layer, Q, V and result of each call in a watched layer, of the joint sequence.
    """

    tiny: Tiny
    pairs: Callable[[int, int, int, str], Lists]
    proportional: bool
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

    def _head(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, sample: int, head: int
    ) -> Tensor:
        assert self.layer is not None
        first = len(query) - self.tiny.num_tokens if self.tiny.text_first else 0
        (src, dst), (kv_src, kv_dst) = (
            [[first + token for token in tokens] for tokens in
             self.pairs(self.layer, sample, head, part)] for part in ("q", "kv")
        )  # fmt: skip
        rows = [row for row in range(len(query)) if row not in src]
        columns = [row for row in range(len(key)) if row not in kv_src]
        times = [1 + (kv_dst.count(row) if self.proportional else 0) for row in columns]
        mask = None if mask is None else mask[rows][:, columns]
        out = torch.zeros_like(query)
        out[rows] = attend(query[rows], key[columns], value[columns], mask, times)
        for gone, kept in zip(src, dst, strict=True):
            out[gone] = out[kept]
        return out
