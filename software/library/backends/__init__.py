"""Who does the matching: the golden model, or the simulated engine. One interface for both."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from golden.options import MatchOptions
from hw.config import DEFAULT_PRESET

if TYPE_CHECKING:
    from torch import Tensor

    from golden.datm import Match

BackendName = Literal["golden", "rtl"]
Progress = Callable[[int, int], None]
"""``progress(cycles, pairings)``, called now and then while an engine runs."""


class MatchingBackend(Protocol):
    """Matches token sets. How tokens are represented is fixed when a backend is made."""

    def prepare(self) -> None:
        """Do now what the first match would otherwise do: what takes long and needs no tokens."""
        ...

    def match(
        self,
        tokens: "Tensor",
        num_dst: int,
        reduce: int,
        options: MatchOptions = MatchOptions(),
    ) -> "Match":
        """Find num_dst medoids and the reduce cheapest src (docs/definition.md).

        Args:
            tokens: [N, D], float16, bfloat16 or float32.
            num_dst: M, 1..N - 1.
            reduce: K, 0..N - M.
            options: how to start and when to stop.

        Raises:
            ValueError: any of the above out of its range, or beyond what the backend holds.
        """
        ...


def make_backend(
    name: BackendName,
    *,
    bits: int | None = 4,
    scale_group: int = 1,
    preset: str | None = None,
    progress: Progress | None = None,
) -> MatchingBackend:
    """Make a backend by name.

    Args:
        name: golden or rtl.
        bits: 4, or None to match tokens as floats (golden only).
        scale_group: G, channels that share a scale.
        preset: the engine's sizes, ``demo`` by default; the golden backend, where one is named,
            holds what that engine holds.
        progress: called while an engine runs.

    Raises:
        ValueError: an unknown preset, a scale group that it cannot have, or bits with rtl.
    """
    if bits is None and scale_group != 1:
        raise ValueError(f"scale_group is {scale_group}, but float tokens have no scale to share.")
    if name == "rtl":
        if bits is None:
            raise ValueError("bits is float, but the rtl backend matches 4-bit tokens only.")
        from software.library.backends.rtl import RtlBackend

        return RtlBackend.of_preset(preset or DEFAULT_PRESET, scale_group, progress=progress)
    from software.library.backends.golden import GoldenBackend

    return GoldenBackend(bits=bits, scale_group=scale_group, preset=preset)
