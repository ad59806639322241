"""The golden model as a backend."""

from dataclasses import dataclass

from torch import Tensor

from golden import datm, validate
from golden.options import MatchOptions
from golden.qe import quantize


@dataclass(frozen=True)
class GoldenBackend:
    """Matches with `golden.datm.match`.

    Attributes:
        bits: 4, or None to match tokens as floats.
        scale_group: G, channels that share a scale; only for 4 bits.
        weight_bits: of a channel's weight; only for 4 bits.
        preset: names an engine; what that engine cannot hold is then refused here as well.
    """

    bits: int | None = 4
    scale_group: int = 1
    weight_bits: int = 8
    preset: str | None = None

    def prepare(self) -> None:
        """Nothing takes long before the first match."""

    def match(
        self,
        tokens: Tensor,
        num_dst: int,
        reduce: int,
        options: MatchOptions = MatchOptions(),
    ) -> datm.Match:
        """See `software.library.backends.MatchingBackend.match`."""
        if self.preset is not None:
            from software.library.backends.presets import check_capacity, preset_config

            config = preset_config(self.preset, self.scale_group)
            validate.check_tokens(tokens)
            num_tokens, channels = tokens.shape
            check_capacity(config, num_tokens, channels, num_dst, options.max_iterations)
        if self.bits is None:
            return datm.match(tokens, num_dst, reduce, options, bits=None)
        quantized = quantize(tokens, scale_group=self.scale_group, weight_bits=self.weight_bits)
        return datm.match(quantized, num_dst, reduce, options)
