"""The register map as SystemRDL 2.0, for generators of headers, documents and models.

Identifiers are those of the map in capitals, as in the C header: no keyword of SystemRDL, C or
(System)Verilog has capitals. VHDL does not tell them apart: tests hold the names against its words.
"""

from collections.abc import Iterator

from hw.bus.register import WORD_BYTES, Access, Register
from hw.bus.registers import REGISTERS
from hw.config import EngineConfig

_WORD_BITS = 8 * WORD_BYTES
_PROPERTIES: dict[Access, str] = {
    "ro": "sw = r; hw = w;",
    "rw": "sw = rw; hw = r;",
    "w1c": "sw = rw; onwrite = woclr; hw = rw; hwset;",
    "pulse": "sw = w; hw = r; singlepulse;",
}
_FIXED = "sw = r; hw = na;"
_WHOLE = "VALUE"
"""The one field of a register that has no fields in the map."""


def system_rdl(config: EngineConfig, name: str) -> str:
    """SystemRDL text: an ``addrmap`` called ``name``, of an engine of that config.

    A register of two words is one of 64 bits that is accessed in words. Bits that the engine does
    not have are in no field.
    """
    lines = [
        f"addrmap {name} {{",
        '  name = "ORBIS matching engine";',
        f'  desc = "Registers of an engine with config hash {config.hash:#010x}, little-endian.";',
        "  littleendian;",
        f"  default accesswidth = {_WORD_BITS};",
    ]
    for register in REGISTERS:
        lines += [f"  {line}" for line in _register(register, config)]
    return "\n".join([*lines, "};", ""])


def _register(register: Register, config: EngineConfig) -> Iterator[str]:
    yield "reg {"
    yield f"  name = {_quoted(register.name)};"
    yield f"  desc = {_quoted(register.doc)};"
    yield f"  regwidth = {_WORD_BITS * register.words};"
    reset = register.reset_value(config)
    for field in register.fields:
        value = reset >> field.bit & 1
        yield (
            f"  field {{ desc = {_quoted(field.doc)}; {_PROPERTIES[field.access]} }}"
            f" {field.name.upper()}[{field.bit}:{field.bit}] = {value};"
        )
    if not register.fields:
        mask = register.mask(config)
        low, high = (mask & -mask).bit_length() - 1, mask.bit_length() - 1
        access = _PROPERTIES[register.access] if register.fixed is None else _FIXED
        yield f"  field {{ {access} }} {_WHOLE}[{high}:{low}] = {reset >> low:#x};"
    yield f"}} {register.name.upper()} @ {register.offset:#05x};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
