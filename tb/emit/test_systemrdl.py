"""The register map as SystemRDL: a compiler takes it, and finds what the table says."""

from pathlib import Path
from typing import Any

import pytest
from pygments.lexers.hdl import VhdlLexer
from systemrdl.compiler import RDLCompiler
from systemrdl.node import FieldNode, RegNode

from hw.bus.register import Register
from hw.bus.registers import REGISTERS
from hw.config import PRESETS, EngineConfig
from hw.emit.systemrdl import system_rdl

ACCESS: dict[str, dict[str, Any]] = {
    "ro": {"sw": "r", "onwrite": None, "singlepulse": False},
    "rw": {"sw": "rw", "onwrite": None, "singlepulse": False},
    "w1c": {"sw": "rw", "onwrite": "woclr", "singlepulse": False},
    "pulse": {"sw": "w", "onwrite": None, "singlepulse": True},
}


def compiled(config: EngineConfig, folder: Path) -> list[RegNode]:
    """The registers that the compiler finds."""
    source = folder / "map.rdl"
    source.write_text(system_rdl(config, "orbis_map"))
    compiler = RDLCompiler()
    compiler.compile_file(str(source))
    top = compiler.elaborate().top
    assert top.inst_name == "orbis_map"
    return list(top.registers())


def properties(field: FieldNode) -> dict[str, Any]:
    """What software sees of a field."""
    names = {name: field.get_property(name) for name in ("sw", "onwrite", "singlepulse")}
    return {name: getattr(value, "name", value) for name, value in names.items()}


def expected(register: Register, config: EngineConfig) -> list[tuple[str, int, dict[str, Any]]]:
    """(name, mask, access) of each field."""
    if not register.fields:
        return [("VALUE", register.mask(config), ACCESS[register.access])]
    return [(field.name.upper(), 1 << field.bit, ACCESS[field.access]) for field in register.fields]


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_the_map_is_the_tables(preset: str, tmp_path: Path) -> None:
    config = PRESETS[preset]
    found = compiled(config, tmp_path)
    assert [(each.inst_name, each.absolute_address, each.size) for each in found] == [
        (register.name, register.offset, 4 * register.words) for register in REGISTERS
    ]
    for register, each in zip(REGISTERS, found, strict=True):
        fields = list(each.fields())
        masks = [(2 << field.msb) - (1 << field.lsb) for field in fields]
        assert [
            (field.inst_name, mask, properties(field))
            for field, mask in zip(fields, masks, strict=True)
        ] == expected(register, config)
        reset = sum(int(field.get_property("reset")) << field.lsb for field in fields)
        assert reset == register.reset_value(config)


def test_no_name_is_reserved_where_capitals_do_not_tell(tmp_path: Path) -> None:
    """In VHDL; elsewhere no keyword has capitals."""
    ((_, vhdl),) = [
        (kind, rule[0].words)
        for kind, rules in VhdlLexer.tokens.items() if kind == "keywords" for rule in rules
    ]  # fmt: skip
    assert {"entity", "register", "signal"} <= set(vhdl)
    names = {each.inst_name for each in compiled(PRESETS["tiny"], tmp_path)}
    names |= {field.name.upper() for register in REGISTERS for field in register.fields}
    assert all(name == name.upper() for name in names)
    assert not {name.lower() for name in names} & set(vhdl)
