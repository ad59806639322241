"""Timing constraints of an engine, as SDC."""

from collections.abc import Mapping
from typing import Any

DEFAULT_PERIOD_NS = 1.0
"""Clock period unless another is asked for: that which areas are mapped for (synth.mapping)."""
IO_SHARE = 0.3
"""Share of the period that is left to what lies outside, before an input and after an output."""

_TEXT = """\
# Times are in ns. One clock; {reset} is synchronous to it, and is timed as any other input. Nothing
# is a false path, and nothing may take more than a cycle. The clock's uncertainty, the cells that
# drive inputs and the loads of outputs are the technology's to add.
create_clock -name {clock} -period {period:g} [get_ports {{{clock}}}]
set_input_delay {delay:g} -clock {clock} [get_ports {{{input}}}]
set_output_delay {delay:g} -clock {clock} [get_ports {{{output}}}]
"""


def check_period(period_ns: float) -> None:
    """Refuse a clock period that is not above 0, or is infinite.

    Raises:
        ValueError: the period and the rule.
    """
    if not 0 < period_ns < float("inf"):
        raise ValueError(f"period_ns is {period_ns:g}; it must be above 0, and finite.")


def sdc(described: Mapping[str, Any]) -> str:
    """SDC text for the clock, inputs and outputs of an engine that was described."""
    clock = described["clock"]
    ports: dict[str, list[str]] = {"input": [], "output": []}
    for port in described["ports"]:
        if port["name"] != clock["port"]:
            bits = "[*]" if port["width"] > 1 else ""
            ports[port["direction"]].append(f"{port['name']}{bits}")
    return _TEXT.format(
        clock=clock["port"],
        reset=described["reset"]["port"],
        period=clock["period_ns"],
        delay=IO_SHARE * clock["period_ns"],
        **{direction: " ".join(names) for direction, names in ports.items()},
    )
