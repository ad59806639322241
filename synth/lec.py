"""Logic equivalence checks: what leaves the generator does what went in, for ever.

Two forms of a module are cut at what both have under one name: its ports, its registers, and the
pins of what stays a black box. For every value of these points each next value of a register and
each output is proven the same in both (Yosys' ``equiv_simple``), or follows by induction over a few
cycles (``equiv_induct``). What the first form leaves open, as what a read beyond the last word
gives, the second may choose.

``python -m synth.lec`` proves it of a preset's whole engine: its Verilog, and each module of its
netlist.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from amaranth.lib import wiring

from hw.config import PRESETS, EngineConfig
from hw.emit.memories import split_memories
from hw.emit.rtlil import RtlilModule, to_text
from hw.emit.verilog import Verilog, modules_of, write_verilog
from hw.engine import DatmEngine
from synth import yosys
from synth.builtin import builtin_library
from synth.flow import alone, map_design, reachable
from synth.mapped import MappedDesign
from synth.memories import BLACK_BOX, BLACK_BOX_VERILOG, TO_BLACK_BOXES
from synth.netlist import cell_models

_ANONYMOUS = re.compile(r"(?<=[\s{])\$(\d+)(?=[\s}])")
"""What has no name in RTLIL; Verilog has a name for all."""
_REGISTERS = (
    # A port that Amaranth named by number is not the same in another instance of its module.
    "select -set points t:$dff %co1:+[Q] w:* %i i:* %u o:* %u w:*port$* i:* %d o:* %d %d",
    "rename -hide w:* @points %d",
)  # fmt: skip
"""Passes that leave names only to ports and registers."""
_BITS = ("splitnets", "opt_clean -purge")
"""Passes that name each bit by itself, and none that nothing reads."""
_PROOF = ("equiv_simple", "equiv_simple -undef", "equiv_induct", "equiv_induct -undef")
_UNPROVEN = re.compile(r"Found (\d+) unproven")
_MODULE = re.compile(r"^module (\S+)", re.MULTILINE)

EMITTED = "registers"
"""What points are in a design and its Verilog."""
WAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "all nets": ((), ()),
    "bits of registers": (_BITS, (*_REGISTERS, *_BITS)),
}
"""What points are in a module and its netlist: more make each proof small, but what mapping made
anew under an old name is none."""

SIMULATED = ("registers", "datm.update.nearest_member")
"""Modules of an engine of which too little is proven; ``make gatesim`` runs their testbenches."""


class UnprovenError(AssertionError):
    """Two forms of a module differ, or nothing was proven."""


def prove_emitted(component: wiring.Component, name: str, verilog: Verilog) -> None:
    """Prove that a design's Verilog does what its modules do before like ones are one module.

    Memories are black boxes: that each module of theirs does what the memory does is for
    tb/emit/test_memories.py.

    Args:
        component: of the design.
        name: of its top module.
        verilog: what `hw.emit.verilog.write_verilog` made of it.

    Raises:
        UnprovenError: it may do something else.
        YosysError: a tool failed.
    """
    modules = modules_of(component, name, merge=False)
    split_memories(modules, name)
    memories = "\n".join(verilog.memories.values())
    flat = (f"hierarchy -top {name}", "proc -norom", "flatten -noscopeinfo", "opt_clean")
    _prove(
        {
            "boxes.v": memories,
            "design.il": _ANONYMOUS.sub(r"\\$\1", to_text(modules)),
            "emitted.v": verilog.logic,
        },
        name,
        [f"t:{box}" for box in _MODULE.findall(memories)],
        (["read_rtlil design.il", *flat], _REGISTERS),
        (["read_verilog emitted.v", *flat], _REGISTERS),
    )


def prove_mapped(
    sources: dict[str, RtlilModule], design: MappedDesign, name: str, models: str
) -> str:
    """Prove that a mapped module does what its RTL does; its children are black boxes.

    Args:
        sources: the modules that were mapped, by name.
        design: what they were mapped to, with netlists.
        name: of the module.
        models: of the library's cells (`synth.netlist.cell_models`).

    Returns:
        By which of `WAYS`: they are tried in order.

    Raises:
        UnprovenError: it may do something else.
        YosysError: a tool failed.
    """
    texts = {
        "boxes.v": BLACK_BOX_VERILOG,
        "cells.v": models,
        "design.il": to_text(alone(name, sources)),
        "mapped.il": design.modules[name].netlist,
    }
    boxes = [f"t:{box}" for box in (*design.modules[name].children, BLACK_BOX)]
    rtl = ["read_rtlil design.il", "setattr -unset init w:*", "proc", "opt_clean", *TO_BLACK_BOXES]
    netlist = [
        "read_verilog cells.v", "read_rtlil design.il", f"delete {name}", "read_rtlil mapped.il",
        "flatten -noscopeinfo", "proc",
    ]  # fmt: skip
    for way, (of_rtl, of_netlist) in WAYS.items():
        try:
            _prove(texts, name, boxes, (rtl, of_rtl), (netlist, of_netlist))
        except UnprovenError as error:
            unproven = error
        else:
            return way
    raise unproven


def _prove(
    texts: dict[str, str],
    top: str,
    boxes: Sequence[str],
    one: tuple[Sequence[str], Sequence[str]],
    other: tuple[Sequence[str], Sequence[str]],
) -> None:
    """Prove that two forms of ``top`` are the same: passes that read each, and name its points."""
    script = []
    forms = {"one": one, "other": other}
    for form, (reading, points) in forms.items():
        script += [
            "read_verilog -lib boxes.v", *reading,
            f"cd {top}", "opt_clean", "dffunmap", f"expose -evert {' '.join(boxes)}", *points,
            "cd", f"rename {top} {form}", f"design -stash {form}",
        ]  # fmt: skip
    script += [f"design -copy-from {form} -as {form} {form}" for form in forms]
    script += ["equiv_make one other both", "cd both", "opt_clean", *_PROOF, "equiv_status -assert"]
    with tempfile.TemporaryDirectory() as folder:
        for file, text in texts.items():
            (Path(folder) / file).write_text(text)
        try:
            yosys.run(script, Path(folder))
        except yosys.YosysError as error:
            if found := _UNPROVEN.search(str(error)):
                raise UnprovenError(f"{top}: {found[1]} points are not proven the same") from error
            raise


def check(config: EngineConfig, name: str, jobs: int) -> Iterator[tuple[str, str]]:
    """Check an engine; yields (module, how, "" if it is not proven), its Verilog first.

    Args:
        config: of the engine.
        name: of its top module, and of the whole Verilog.
        jobs: modules that are proven side by side.

    Raises:
        YosysError: a tool failed.
    """
    try:
        prove_emitted(DatmEngine(config), name, write_verilog(DatmEngine(config), name))
        yield f"{name}.v", EMITTED
    except UnprovenError:
        yield f"{name}.v", ""
    modules, library = modules_of(DatmEngine(config), name), builtin_library()
    design = map_design(modules, library, top=name, with_netlist=True)
    sources = reachable({module.name[1:]: module for module in modules}, name)
    models = cell_models(library)

    def way(module: str) -> str:
        if module.removeprefix(f"{name}.") in SIMULATED:
            return "simulation"
        try:
            return prove_mapped(sources, design, module, models)
        except UnprovenError:
            return ""

    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(design.modules, pool.map(way, design.modules), strict=True)


def main(arguments: list[str] | None = None) -> int:
    """Check a preset's engine; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m synth.lec", description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="tiny")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write what was found")
    asked = parser.parse_args(arguments)
    found = {}
    for module, way in check(PRESETS[asked.preset], "engine", len(os.sched_getaffinity(0))):
        found[module] = way
        print(f"{module}: {way or 'not proven'}", flush=True)
    if asked.json:
        report = {"preset": asked.preset, "yosys": yosys.VERSION, "ways": found}
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return int(not all(found.values()))


if __name__ == "__main__":
    sys.exit(main())
