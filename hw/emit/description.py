"""A JSON that describes an engine: its ports, clock, buses, memories, registers and regions."""

from importlib.metadata import version
from typing import Any

from amaranth.lib import wiring
from amaranth.utils import exact_log2

from hw.bus.axi import BURST_INCR, CACHE, LITE_ADDRESS_BITS, LITE_DATA_BITS, PROT
from hw.bus.axi_reader import AxiReader
from hw.bus.axi_writer import AxiWriter
from hw.config import PRESETS, EngineConfig
from hw.emit.maps import regions_json, registers_json
from hw.emit.memories import MemoryModule
from hw.emit.verilog import CLOCK, RESET, Verilog, ports_of

LICENSE = "Apache-2.0"
RESET_CYCLES = 1
"""Rising edges at which the reset must be high."""
BURST_BOUNDARY = 4096
"""Bytes of the blocks that no burst leaves."""


def describe(
    component: wiring.Component,
    config: EngineConfig,
    name: str,
    verilog: Verilog,
    period_ns: float,
) -> dict[str, Any]:
    """What an integrator and a driver's author need of an engine, as JSON types.

    Args:
        component: the engine.
        config: its own.
        name: of its top module.
        verilog: of the engine.
        period_ns: the clock period that its constraints state.
    """
    clocking = [{"name": port, "direction": "input", "width": 1} for port in (CLOCK, RESET)]
    members = [
        {
            "name": port,
            "direction": "input" if flow is wiring.In else "output",
            "width": len(signal),
        }
        for port, flow, signal in ports_of(component)
    ]
    return {
        "module": name,
        "license": LICENSE,
        "generator": generator(),
        "preset": preset_of(config),
        "config_hash": f"{config.hash:#010x}",
        "config": config.as_dict(),
        "ports": [*clocking, *members],
        "clock": {"port": CLOCK, "edge": "rising", "period_ns": period_ns},
        "reset": {"port": RESET, "active": "high", "synchronous": True, "cycles": RESET_CYCLES},
        "interrupt": {"port": "irq", "active": "high", "kind": "level"},
        "buses": {
            "axi": {"protocol": "AXI4", "role": "master", **memory_bus(config)},
            "control": {
                "protocol": "AXI4-Lite",
                "role": "slave",
                "address_bits": LITE_ADDRESS_BITS,
                "data_bits": LITE_DATA_BITS,
            },
        },
        "memories": [_memory(memory) for memory in verilog.memories],
        "registers": registers_json(config),
        **regions_json(config),
    }


def generator() -> dict[str, str]:
    """The versions of what writes an engine, by package."""
    return {package: version(package) for package in ("orbis", "amaranth")}


def preset_of(config: EngineConfig) -> str | None:
    """The preset whose config it is, if there is one."""
    return next((name for name, preset in PRESETS.items() if preset == config), None)


def memory_bus(config: EngineConfig) -> dict[str, Any]:
    """What the AXI4 master asks of an interconnect, as JSON types."""
    return {
        "address_bits": config.address_bits,
        "data_bits": config.bus_bits,
        "read_ids": [0, 1],
        "write_ids": [0],
        "burst": BURST_INCR,
        "size": exact_log2(config.bus_bytes),
        "longest_read_beats": config.burst_beats,
        "longest_write_beats": config.write_burst_beats,
        "alignment_bytes": config.bus_bytes,
        "boundary_bytes": BURST_BOUNDARY,
        "outstanding_reads": AxiReader.max_outstanding,
        "outstanding_writes": AxiWriter.max_outstanding,
        "cache": CACHE,
        "prot": PROT,
        "byte_order": "little",
    }


def _memory(memory: MemoryModule) -> dict[str, Any]:
    shape = memory.shape
    return {
        "module": memory.name,
        "kind": "sram" if shape.is_macro else "flip-flops",
        "depth": shape.depth,
        "width": shape.width,
        "ports": shape.ports,
        "write_granularity": shape.granularity,
        "instances": memory.instances,
    }
