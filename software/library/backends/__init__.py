"""Who does the matching: the golden model, a simulated engine, or a board's. One interface."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from golden.options import MatchOptions
from hw.config import DEFAULT_PRESET
from hw.fpga.protocol import BAUD

if TYPE_CHECKING:
    from torch import Tensor

    from golden.datm import Match

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
    name: str,
    *,
    bits: int | None = 4,
    scale_group: int = 1,
    preset: str | None = None,
    progress: Progress | None = None,
) -> MatchingBackend:
    """Make a backend by name.

    Args:
        name: golden, rtl, or fpga:PORT, a board's engine behind a serial port; fpga:PORT@BAUD
            where its bitstream was made for another baud rate than the default one.
        bits: 4, or None to match tokens as floats (golden only).
        scale_group: G, channels that share a scale.
        preset: the engine's sizes, by default ``demo`` in simulation, and what it is on a board;
            the golden backend, where one is named, holds what that engine holds.
        progress: called while an engine runs.

    Raises:
        ValueError: an unknown name or preset, a scale group that it cannot have, or floats for an
            engine.
    """
    if bits is None and scale_group != 1:
        raise ValueError(f"scale_group is {scale_group}, but float tokens have no scale to share.")
    kind, _, port = name.partition(":")
    if name not in ("golden", "rtl") and not (kind == "fpga" and port):
        raise ValueError(f"backend is {name}; it must be golden, rtl or fpga:PORT.")
    if name != "golden" and bits is None:
        raise ValueError(f"bits is float, but the {kind} backend matches 4-bit tokens only.")
    if kind == "fpga":
        from software.library.backends.board import BoardBackend

        port, baud = _port_and_baud(port)
        return BoardBackend(port, baud, scale_group=scale_group, preset=preset, progress=progress)
    if name == "rtl":
        from software.library.backends.rtl import RtlBackend

        return RtlBackend.of_preset(preset or DEFAULT_PRESET, scale_group, progress=progress)
    from software.library.backends.golden import GoldenBackend

    return GoldenBackend(bits=bits, scale_group=scale_group, preset=preset)


def _port_and_baud(text: str) -> tuple[str, int]:
    """The two parts of PORT@BAUD."""
    port, at, baud = text.rpartition("@")
    if not at:
        return text, BAUD
    if not (port and baud.isdecimal() and int(baud) > 0):
        raise ValueError(f"the baud rate of fpga:{text} is {baud or 'missing'}; give a number.")
    return port, int(baud)
