"""The register map and the regions of memory for people and programs: pages, JSON, a C header."""

import argparse
import sys
from typing import Any

from hw.bus.register import Access
from hw.bus.registers import ID, REGISTERS, VERSION, masks, offsets
from hw.config import EngineConfig
from hw.regions import REGIONS, constants, size_meanings

_ACCESS_MEANINGS: dict[Access, str] = {
    "ro": "read only",
    "rw": "read and write",
    "w1c": "read; writing a 1 clears the bit",
    "pulse": "writing a 1 acts once; reads 0",
}


def registers_json(config: EngineConfig) -> list[dict[str, Any]]:
    """The map of an engine of that config as JSON types, a dict a register.

    ``fixed`` is what a register always reads, None where it is not always the same; ``reset`` what
    it reads after a reset.
    """
    return [
        {
            "name": register.name,
            "offset": register.offset,
            "words": register.words,
            "access": register.access,
            "mask": register.mask(config),
            "fixed": None if register.fixed is None else register.fixed_value(config),
            "reset": register.reset_value(config),
            "doc": register.doc,
            "fields": [
                {"name": field.name, "bit": field.bit, "access": field.access, "doc": field.doc}
                for field in register.fields
            ],
        }
        for register in REGISTERS
    ]


def regions_json(config: EngineConfig) -> dict[str, Any]:
    """The table as JSON types.

    ``regions``; the ``sizes`` that their bytes are products of, each with its formula or, where the
    job gives it, None; and the ``constants`` that formulas name beside sizes and the config.
    """
    return {
        "regions": [
            {
                "name": region.name,
                "doc": region.doc,
                "content": region.content,
                "word_bits": region.word_bits,
                "bytes": region.formula,
                "filled_by_host": region.host,
            }
            for region in REGIONS
        ],
        "sizes": {
            name: {"doc": doc, "formula": formula}
            for name, (doc, formula) in size_meanings().items()
        },
        "constants": constants(config),
    }


def c_header() -> str:
    """A C and C++ header: the offset of every word and the mask of every field."""
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */"]
    lines += ["/* ORBIS matching engine: register offsets in bytes, and the masks of fields. */"]
    lines += ["#ifndef ORBIS_REGISTERS_H", "#define ORBIS_REGISTERS_H", ""]
    lines += [f"#define ORBIS_{name} 0x{offset:03X}u" for name, offset in offsets().items()]
    lines += [
        "",
        f"#define ORBIS_ID_VALUE 0x{ID:08X}u",
        f"#define ORBIS_VERSION_VALUE 0x{VERSION:08X}u",
    ]
    lines += [
        f"#define ORBIS_{name.upper().replace('.', '_')} 0x{mask:X}u"
        for name, mask in masks().items()
    ]
    return "\n".join([*lines, "", "#endif", ""])


_REGISTER_RULES = """\
# Registers

Generated from `hw/bus/registers.py` by `python -m hw.emit.maps registers`; do not edit.

The engine's AXI4-Lite port `control` has 32-bit words; a value of more than 32 bits takes two, LO
at the offset and HI after it. All reset to 0 unless a value is given.

* Byte strobes count: only the bytes strobed are written. The two lowest address bits do not.
* An offset that is not in the table answers DECERR; it reads 0.
* SLVERR answers a write that is refused, and then changes nothing: one to a read-only register,
  one with a 1 in a bit that the engine does not have (as in an address that is beyond its bits,
  or not aligned to a beat), or, while `busy` is 1, one to any register but INTERRUPT and ABORT.
* Reading the LO word of a counter keeps its HI word for the next read of a counter's HI word, so
  LO, then HI gives the value of one moment while the counter runs.
* In place of a number, *bits* may name a property of the config.
"""


def registers_page() -> str:
    """The text of docs/registers.md."""
    lines = [
        _REGISTER_RULES,
        "| offset | register | access | bits | meaning |",
        "|---|---|---|---|---|",
    ]
    for register in REGISTERS:
        bits = f"`{register.bits}`" if isinstance(register.bits, str) else f"{register.bits}"
        doc = register.doc
        if isinstance(register.fixed, int):
            doc = f"{doc} Reads 0x{register.fixed:08X}."
        if register.fields:
            bits = f"{len(register.fields)}"
        name = register.name if register.words == 1 else f"{register.name} LO, HI"
        lines.append(f"| 0x{register.offset:03X} | {name} | {register.access} | {bits} | {doc} |")
    lines += [
        "",
        "## Fields",
        "",
        "| register | bit | field | access | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {register.name} | {field.bit} | `{field.name}` | {field.access} | {field.doc} |"
        for register in REGISTERS
        for field in register.fields
    ]
    lines += ["", "## Access", "", "| access | meaning |", "|---|---|"]
    lines += [f"| {access} | {meaning} |" for access, meaning in _ACCESS_MEANINGS.items()]
    return "\n".join([*lines, ""])


_REGION_RULES = """\
# Regions

Generated from `hw/regions.py` by `python -m hw.emit.maps regions`; do not edit.

The host allocates these regions, each aligned to a beat (`bus_bytes`), none overlapping another,
and names them in the address registers ([registers.md](registers.md)). Words are little-endian, the
first in the lowest bits of a beat. The engine reads and writes nothing else.
"""


def regions_page() -> str:
    """The text of docs/regions.md."""
    lines = [
        _REGION_RULES,
        "| region | for | word, bits | content | bytes |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {region.name} | {region.doc} | {region.word_bits} | {region.content} |"
        f" {region.formula} |"
        for region in REGIONS
    ]
    lines += ["", "| size | meaning | value |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {doc} | {f'`{formula}`' if formula else 'the job gives it'} |"
        for name, (doc, formula) in size_meanings().items()
    ]
    lines += [
        "",
        "TOKENS is the host's to fill, and DST where the job's `host_init` is set; the others may"
        " hold\nanything. Names that are no size here are the config's (`hw/config.py`); the JSON"
        " beside the\nVerilog has them all, as `config` and `constants`.",
        "",
    ]
    return "\n".join(lines)


PAGES = {"registers": registers_page, "regions": regions_page, "header": c_header}


def main() -> None:
    """Print a page, or the header."""
    parser = argparse.ArgumentParser(prog="python -m hw.emit.maps", description=main.__doc__)
    parser.add_argument("page", choices=PAGES, help="docs/registers.md, docs/regions.md, or the"
                        " C header")  # fmt: skip
    sys.stdout.write(PAGES[parser.parse_args().page]())


if __name__ == "__main__":
    main()
