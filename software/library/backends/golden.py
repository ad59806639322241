"""The golden model as a backend."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

import golden
from golden import validate
from software.library.backends import Matched


@dataclass(frozen=True)
class GoldenBackend:
    """Matches with `golden.match`; see there for the meaning of the fields.

    Where ``preset`` names an engine, what that engine cannot hold is refused here as well.
    """

    bits: int | None = 4
    scale_group: int = 1
    preset: str | None = None

    def prepare(self) -> None:
        """Nothing takes long before the first match."""

    def match(
        self,
        tokens: Tensor,
        num_dst: int,
        reduce: int,
        *,
        seed: int = 0,
        init: Sequence[int] | Tensor | None = None,
        epsilon_q16: int = 66,
        max_iterations: int = 20,
    ) -> Matched:
        """See `software.library.backends.MatchingBackend.match`."""
        if self.preset is not None:
            from software.library.backends.presets import check_capacity, preset_config

            config = preset_config(self.preset, self.scale_group)
            validate.check_tokens(tokens)
            num_tokens, channels = tokens.shape
            check_capacity(config, num_tokens, channels, num_dst, max_iterations)
        found = golden.match(
            tokens, num_dst, reduce, seed=seed, init=init, epsilon_q16=epsilon_q16,
            max_iterations=max_iterations, bits=self.bits, scale_group=self.scale_group,
        )  # fmt: skip
        return Matched(
            found.src, found.dst, found.loss, found.medoids, found.loss_history, found.iterations
        )
