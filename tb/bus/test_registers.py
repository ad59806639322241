"""The register map: sound, the one source of the job's order, and versioned."""

import pytest

from hw.bus.registers import (
    COUNTERS,
    REGISTERS,
    STAGES,
    VERSION,
    digest,
    job_fields,
    job_registers,
    masks,
    offsets,
    serves,
)
from hw.config import PRESETS
from hw.job import Job, Order
from hw.phases import STAGE_PHASES, Phase
from hw.regions import REGIONS

OFFSETS = offsets()
MAPS = {
    0x0001_0000: "8eb4b6b154376ba5",
    0x0002_0000: "fcaba3d9b1c7c00d",
    0x0002_0001: "ae5b8044ceff8743",
}
"""What each version of the map was. A map that differs from its version's needs the next version:
the minor one where old programs still run, the major one where they do not."""


def test_map_is_sound() -> None:
    """No two words overlap, and all are aligned."""
    values = list(OFFSETS.values())
    assert len(set(values)) == len(values)
    assert all(0 <= offset < 1 << 12 and offset % 4 == 0 for offset in values)
    assert all(register.offset % 8 == 0 for register in REGISTERS if register.words == 2)
    for register in REGISTERS:
        bits = [field.bit for field in register.fields]
        assert len(set(bits)) == len(bits)


def test_the_order_is_the_job_registers() -> None:
    """Each as wide as its register; the sizes and the addresses of all regions are among them."""
    config = PRESETS["paper"]
    members = {name: field.width for name, field in Order(config)}
    assert members == {register.member: register.width(config) for register in job_registers()} | {
        field.name: 1 for field in job_fields()
    }
    assert {*Job.addresses, "tokens", "channels", "num_dst", "reduce", "host_init"} <= set(members)
    assert len(Job.addresses) == len(REGIONS)
    assert "interrupt_enable" not in members


def test_the_counted_stages_are_those_of_the_phases() -> None:
    assert tuple(STAGE_PHASES) == STAGES
    assert set(COUNTERS) == {*STAGES, "total", "dau"}
    counted = [phase for phases in STAGE_PHASES.values() for phase in phases]
    assert len(set(counted)) == len(counted)
    assert set(Phase) - set(counted) == {Phase.IDLE, Phase.DONE}


def test_the_map_has_its_version() -> None:
    assert max(MAPS) == VERSION, f"note version {VERSION:#x} here; its digest is {digest()}"
    assert digest() == MAPS[VERSION], "the map has changed: raise VERSION, and note its digest here"


def test_a_later_minor_version_serves_and_no_other() -> None:
    major = VERSION & 0xFFFF_0000
    assert all(serves(found) for found in (VERSION, VERSION + 1, major | 0xFFFF))
    assert not any(serves(found) for found in (VERSION - 1, major + 0x1_0000, major - 0x1_0000))


@pytest.mark.parametrize(
    ("name", "mask"), [("CONTROL.start", 1), ("STATUS.bus_error", 16), ("INTERRUPT.pending", 1)]
)
def test_masks_are_those_of_the_docs(name: str, mask: int) -> None:
    assert masks()[name] == mask
