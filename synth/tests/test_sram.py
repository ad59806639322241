import pytest

from synth.scaling import instance_share, scale_area, scale_delay
from synth.sram import Macro


def per_bit(depth: int, width: int, node: int = 45, ports: int = 1) -> float:
    macro = Macro(depth, width, ports)
    return macro.area(node) / macro.bits


def test_the_published_points_are_met() -> None:
    assert per_bit(1024, 32) == pytest.approx(0.50)
    assert per_bit(64, 256) == pytest.approx(2.07)
    assert 0.5 <= per_bit(512, 64) <= 0.8
    assert per_bit(256, 32) == pytest.approx(0.80, abs=0.02)
    assert 1.0 <= per_bit(128, 256) <= 2.07
    assert per_bit(1024, 32, node=7) == pytest.approx(0.042)
    assert per_bit(1024, 32, node=7, ports=2) == pytest.approx(0.060)


def test_a_bit_is_cheaper_the_deeper_its_array() -> None:
    areas = [per_bit(depth, 64) for depth in (16, 64, 256, 1024, 4096)]
    assert areas == sorted(areas, reverse=True)
    assert per_bit(64, 8) == pytest.approx(per_bit(64, 512))


def test_28_nm_follows_the_logic_and_dual_ports_cost_alike_everywhere() -> None:
    assert Macro(512, 64).area(28) == pytest.approx(scale_area(Macro(512, 64).area(), 45, 28))
    ratios = [Macro(512, 64, 2).area(node) / Macro(512, 64).area(node) for node in (45, 28, 7)]
    assert ratios == pytest.approx([10 / 7] * 3)


def test_scaling_reproduces_the_papers_budget() -> None:
    assert scale_area(0.85, 45, 28) == pytest.approx(0.297, abs=0.001)
    assert scale_area(scale_area(3.0, 45, 7), 7, 45) == pytest.approx(3.0)
    assert instance_share(0.297e6) == pytest.approx(0.024, abs=0.0001)
    assert scale_area(470.9, 28, 7) == pytest.approx(14.8, abs=0.01)


def test_delays_scale_by_the_quotient_of_their_factors() -> None:
    assert scale_delay(0.81, 45, 28) == pytest.approx(0.67)
    assert scale_delay(scale_delay(3.0, 45, 7), 7, 45) == pytest.approx(3.0)


def test_what_does_not_exist_is_refused() -> None:
    for make, rule in (
        (lambda: Macro(0, 8), "depth is 0; it must be at least 1"),
        (lambda: Macro(8, -1), "width is -1; it must be at least 1"),
        (lambda: Macro(8, 8, 3), "ports is 3; it must be 1 or 2"),
        (lambda: Macro(8, 8).area(16), "node is 16; it must be one of 45, 28, 7"),
        (lambda: scale_area(1.0, 45, 22), "node is 22; it must be one of 45, 28, 7"),
    ):
        with pytest.raises(ValueError, match=rule):
            make()
