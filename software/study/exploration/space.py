"""The engines that are looked at: a preset, and sizes of it that vary."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from hw.config import EngineConfig

VARIED = (
    "dst_lanes", "src_lanes", "channel_lanes", "src_groups", "scale_group", "weight_bits",
    "quantize_lanes", "update_lanes", "sorter_width", "bus_bytes", "burst_beats", "fifo_beats",
)  # fmt: skip
"""Fields of a config that choose between engines of the same purpose."""

Axes = Mapping[str, Sequence[int]]
"""Values by field, each crossed with all of the others."""

DEFAULT_AXES: tuple[Axes, ...] = (
    {"dst_lanes": (2, 4, 8), "src_lanes": (4, 8, 16), "src_groups": (5, 10)},
    {"channel_lanes": (8, 32)},
    {"scale_group": (1,)},
    {"weight_bits": (4, 1)},
    {"quantize_lanes": (4, 8)},
    {"update_lanes": (2, 8)},
    {"sorter_width": (4, 16)},
    {"bus_bytes": (16, 64)},
    {"burst_beats": (2,), "fifo_beats": (4,)},
    {"burst_beats": (8,), "fifo_beats": (16, 32)},
    {"dst_lanes": (2,), "src_groups": (3, 4, 5), "bus_bytes": (16,)},
    {"channel_lanes": (16, 32), "dst_lanes": (4, 8), "src_lanes": (8, 16), "src_groups": (5,),
     "bus_bytes": (64,), "quantize_lanes": (4,), "update_lanes": (8,), "sorter_width": (4,),
     "burst_beats": (8,), "fifo_beats": (16,)},
)  # fmt: skip
"""What is looked at where nothing is asked for: shapes of the array, then one thing at a time, and
lastly small engines and fast ones."""


@dataclass(frozen=True)
class Space:
    """Engines.

    Attributes:
        configs: all different, the preset first.
        skipped: combinations that no engine can have.
    """

    configs: tuple[EngineConfig, ...]
    skipped: int


def parse_axis(text: str) -> tuple[str, tuple[int, ...]]:
    """``FIELD=V,V,...``.

    Raises:
        ValueError: something else, or a field that does not choose between engines.
    """
    name, _, values = text.partition("=")
    if name not in VARIED:
        raise ValueError(f"{name!r} cannot vary; it must be one of {', '.join(VARIED)}.")
    numbers = [value.strip() for value in values.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise ValueError(f"{name} varies over {values!r}; it must be whole numbers with commas.")
    return name, tuple(dict.fromkeys(map(int, numbers)))


def parse_axes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Each as `parse_axis`; raises as that, and where a field comes twice."""
    axes = [parse_axis(text) for text in texts]
    names = [name for name, _ in axes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} varies twice; give all of its values at once.")
    return dict(axes)


def space_of(base: EngineConfig, axes: Iterable[Axes]) -> Space:
    """The preset, and each set of axes crossed over it.

    Where lanes of channels vary and the scale group does not, channels that shared a scale still
    do.

    Raises:
        ValueError: no combination is an engine, but for the preset.
    """
    found: dict[EngineConfig, None] = {base: None}
    refused: dict[tuple[tuple[str, int], ...], ValueError] = {}
    for each in axes:
        for values in product(*each.values()):
            sizes: dict[str, Any] = dict(zip(each, values, strict=True))
            if base.scale_group > 1 and "channel_lanes" in sizes:
                sizes.setdefault("scale_group", sizes["channel_lanes"])
            try:
                found[replace(base, **sizes)] = None
            except ValueError as error:
                refused[tuple(sizes.items())] = error
    if len(found) == 1 and refused:
        raise ValueError(f"no engine varies so: {next(iter(refused.values()))}.")
    return Space(tuple(found), len(refused))


def differences(config: EngineConfig, base: EngineConfig) -> dict[str, int]:
    """The fields in which a config is not the preset."""
    return {
        name: getattr(config, name) for name in VARIED
        if getattr(config, name) != getattr(base, name)
    }  # fmt: skip
