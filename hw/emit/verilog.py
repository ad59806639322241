"""Verilog of a component, the same from run to run."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Private, but what Amaranth itself finds a Yosys with; its public back.verilog runs a fixed script.
from amaranth._toolchain.yosys import YosysError, find_yosys
from amaranth.back import rtlil
from amaranth.hdl import Const, Value
from amaranth.lib import wiring

from hw.emit.memories import MemoryModule, split_memories
from hw.emit.module_merge import merge_modules
from hw.emit.plain import write_plainly
from hw.emit.rtlil import RtlilModule, parse, to_text
from hw.emit.toolchain import ToolError
from hw.emit.wrappers import wrapper_verilog

_SCRIPT = (
    # An expression that Amaranth wrote once for every use of it is one wire.
    "opt_merge",
    "attrmap -remove generator -remove full_case -remove parallel_case -remove init",
    "attrmap -modattr -remove generator -remove top",
    "write_verilog -norename",
)

_WAKE = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+")
"""Yosys' name of what each combinational process reads in order to run once at the start."""

CLOCK, RESET = "clk", "rst"
"""Ports that Amaranth adds: the clock, and the synchronous reset, high to reset."""


@dataclass(frozen=True)
class Verilog:
    """A design: the text of all modules but those that are memories, and those."""

    logic: str
    memories: dict[MemoryModule, str]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([self.logic, *self.memories.values()])


def modules_of(component: wiring.Component, name: str, *, merge: bool = True) -> list[RtlilModule]:
    """The modules of ``component``, with names and ports as in `to_verilog`; the top one first."""
    ports = {port: (signal, None) for port, _, signal in ports_of(component)}
    with _no_garbage_collection():
        modules = parse(rtlil.convert(component, name=name, ports=ports))
        for module in modules:
            module.items = [
                item for item in module.items if getattr(item, "kind", None) != "$meminit_v2"
            ]
        return merge_modules(modules) if merge else modules


def to_verilog(component: wiring.Component, name: str, *, merge: bool = True) -> str:
    """Verilog-2001 text of ``component``, as `write_verilog` has it in parts."""
    return write_verilog(component, name, merge=merge).text


def write_verilog(component: wiring.Component, name: str, *, merge: bool = True) -> Verilog:
    """Verilog-2001 of ``component``; its top module is ``name``, and all others' names begin so.

    Ports are named after the component's members, joined by two underscores (``tile__payload``).
    The ready of an always-ready stream is the constant 1 and has no port.

    Each shape of memory is a module. Memories have no initial content, as an SRAM has none: every
    unit writes before it reads. Nor have registers, as an ASIC's have none: a reset comes first.
    Structurally identical modules are one (hw.emit.module_merge), unless ``merge`` is False.

    The text depends on nothing but the component: Amaranth and Yosys keep the order in which
    things were made, so it stays so while components iterate over no sets.

    Raises:
        ToolError: Yosys is missing, or failed.
        ValueError: a memory of other ports than hw.emit.memories knows.
    """
    modules = modules_of(component, name, merge=merge)
    memories = split_memories(modules, name)
    for module in modules:
        write_plainly(module)
    source = to_text(modules)
    try:
        yosys = find_yosys(lambda version: version >= (0, 40))
        # Yosys warns that not every process can be Verilog; those of Amaranth can.
        text: str = yosys.run(
            ["-q", "-"],
            "\n".join([f"read_rtlil <<rtlil\n{source}\nrtlil", *_SCRIPT]),
            ignore_warnings=True,
        )
    except YosysError as error:
        said = " ".join(str(error).split()).rstrip(".")
        said = said or "it said nothing, as when memory runs out"
        raise ToolError(f"Yosys, which writes the Verilog, failed: {said}") from error
    logic = _WAKE.sub(r"\\$at_start", text)
    return Verilog(logic, {memory: wrapper_verilog(memory) for memory in memories})


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause the collector of cycles, which walks a growing netlist again and again.

    It took half the time of a 2,048-lane engine, whose netlist peaks at 0.6 GB without it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def ports_of(component: wiring.Component) -> Iterator[tuple[str, wiring.Flow, Value]]:
    """(name, flow, signal) of every port but the clocking; Verilog has no ports of no bits."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if not isinstance(signal, Const) and len(signal):
            yield "__".join(str(part) for part in path), member.flow, signal
