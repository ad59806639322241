"""The rows of one layer: of its queries, and of its keys and values.

Source: docs/definition.md, 'Reduce and restore'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from software.library.config import OrbisConfig, Targets
from software.library.reduction.rows import Rows, rows_of


@dataclass(frozen=True)
class LayerRows:
    """The rows of one layer: of Q, and of keys and values."""

    query: Rows
    key_value: Rows

    @property
    def dropped(self) -> int:
        """K of each video, of the queries or of the keys, whichever lose more."""
        return max(self.query.dropped, self.key_value.dropped)

    @property
    def bytes(self) -> int:
        """What is kept from step to step."""
        apart = self.key_value is not self.query
        return self.query.bytes + (self.key_value.bytes if apart else 0)

    def remember(self, mixed: Tensor, states: Tensor, config: OrbisConfig) -> "LayerRows":
        """See `Rows.remember`; what is restored are the queries' results."""
        query = self.query.remember(mixed, states, config)
        return LayerRows(query, query if self.key_value is self.query else self.key_value)


def layer_rows(
    found: Sequence[Any], num_tokens: int, device: torch.device, targets: Targets
) -> LayerRows:
    """The rows that a match leaves of N tokens, for tokens on a device.

    Args:
        found: of each video, its pairs: of one list for all, or of Q's and of KV's.
        num_tokens: N.
        device: where the tokens are.
        targets: what is reduced.

    Raises:
        ValueError: see `rows_of`.
    """
    apart = isinstance(found[0], tuple)
    query = rows_of([each[0] if apart else each for each in found], num_tokens, device)
    if targets == "q":
        return LayerRows(query, Rows())
    key_value = rows_of([each[1] for each in found], num_tokens, device) if apart else query
    return LayerRows(query, key_value)
