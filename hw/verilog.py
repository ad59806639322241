"""Verilog of a component, the same from run to run."""

from amaranth.back import verilog
from amaranth.hdl import Const
from amaranth.lib import wiring


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog-2001 text of ``component``; its top module is ``name``.

    Ports are named after the component's members, joined by two underscores (``tile__payload``).
    The ready of an always-ready stream is the constant 1 and has no port.
    """
    ports = {}
    for path, _, value in component.signature.flatten(component):
        if not isinstance(value, Const):
            port_name = "__".join(str(part) for part in path)
            signal = value.as_value() if hasattr(value, "as_value") else value
            ports[port_name] = (signal, None)
    return str(
        verilog.convert(
            component, name=name, ports=ports, emit_src=False, strip_internal_attrs=True
        )
    )
