"""Verilog of a component, the same from run to run, and a JSON that describes an engine's."""

import json
import re
from collections.abc import Iterator

from amaranth.back import verilog
from amaranth.hdl import Const, Value
from amaranth.lib import wiring

from hw.config import EngineConfig
from hw.registers import as_json

_MEMORY_CONTENT = re.compile(
    r"^  initial begin\n(?:    \S+ ?\[\d+\] = \S+;\n)+  end\n", re.MULTILINE
)

_CLOCKING = ("clk", "rst")
"""Ports that Amaranth adds: the clock, and the synchronous reset, high to reset."""


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog-2001 text of ``component``; its top module is ``name``.

    Ports are named after the component's members, joined by two underscores (``tile__payload``).
    The ready of an always-ready stream is the constant 1 and has no port.

    Memories have no initial content, as an SRAM has none: every unit writes before it reads.

    The text depends on nothing but the component: Amaranth and Yosys keep the order in which
    things were made, so it stays so while components iterate over no sets.
    """
    ports = {port: (signal, None) for port, _, signal in _ports(component)}
    text = verilog.convert(
        component, name=name, ports=ports, emit_src=False, strip_internal_attrs=True
    )
    return _MEMORY_CONTENT.sub("", text)


def describe(component: wiring.Component, config: EngineConfig, name: str) -> str:
    """JSON text that tells a driver's author what `to_verilog` gave: ports, config, registers."""
    clocking = [{"name": port, "direction": "input", "width": 1} for port in _CLOCKING]
    members = [
        {
            "name": port,
            "direction": "input" if flow is wiring.In else "output",
            "width": len(signal),
        }
        for port, flow, signal in _ports(component)
    ]
    description = {
        "module": name,
        "config_hash": f"{config.hash:#010x}",
        "config": config.as_dict(),
        "ports": [*clocking, *members],
        "registers": as_json(config),
    }
    return json.dumps(description, indent=2) + "\n"


def _ports(component: wiring.Component) -> Iterator[tuple[str, wiring.Flow, Value]]:
    """(name, flow, signal) of every port but the clocking; Verilog has no ports of no bits."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if not isinstance(signal, Const) and len(signal):
            yield "__".join(str(part) for part in path), member.flow, signal
