"""No accumulator of a shipped engine overflows: by the widths of its registers alone."""

import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.config import LARGEST_LEVEL, PRESETS, EngineConfig
from hw.pair.dau import DistanceElement
from hw.pair.settle import Settle
from hw.refine.nearest_member import NearestMember

WEIGHTED = {
    name: ((1 << config.weight_bits) - 1) * LARGEST_LEVEL**2 for name, config in PRESETS.items()
}
"""The largest weighted square of a channel."""


def largest_distance(preset: str) -> int:
    return PRESETS[preset].max_channels * WEIGHTED[preset]


class Around(wiring.Component):
    """A unit inside another, as ports of streams that are always ready cannot be a netlist's."""

    def __init__(self, unit: wiring.Component):
        self._unit = unit
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = self._unit
        return m


def register_bits(config: EngineConfig) -> dict[str, int]:
    """Bits of the registers of a `NearestMember` by their names."""
    text = rtlil.convert(Around(NearestMember(config)), name="top")
    found = re.findall(r"^  wire width (\d+) (?:signed )?\\(gap|low|high)$", text, re.MULTILINE)
    return {name: int(bits) for bits, name in found}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_distance_fits_and_is_less_than_none(preset: str) -> None:
    """All ones stand for no distance in `hw.pair.least_two`."""
    bits = len(DistanceElement(PRESETS[preset]).distance)
    assert largest_distance(preset) < (1 << bits) - 1


@pytest.mark.parametrize("preset", PRESETS)
def test_the_sum_of_all_losses_fits(preset: str) -> None:
    bits = len(Settle(PRESETS[preset]).loss)
    assert largest_distance(preset) * PRESETS[preset].max_tokens < 1 << bits


@pytest.mark.parametrize("preset", PRESETS)
def test_the_score_of_a_member_fits(preset: str) -> None:
    """A channel's q (n q - 2 S) is within n times its largest weighted square, either way."""
    config, found = PRESETS[preset], register_bits(PRESETS[preset])
    of_channel = WEIGHTED[preset] if config.scale_group == 1 else LARGEST_LEVEL**2
    gap = config.update_lanes * of_channel * config.max_tokens
    assert gap < 1 << (found["gap"] - 1)
    score = largest_distance(preset) * config.max_tokens
    assert score < 1 << (found["low"] + found["high"] - 1)
    assert LARGEST_LEVEL * config.max_tokens < 1 << config.sum_bits
