"""Lanes: units side by side behind one port each, and what they are given and owe, by cycle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from tb.streams import Bench, set_value, unsigned

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""By token format."""
Bits = NDArray[np.int64]


class Lanes(wiring.Component):
    """Units side by side: each port is that of all of them, the first lane's lowest."""

    def __init__(self, count: int, unit: Callable[[], wiring.Component]):
        self._units = [unit() for _ in range(count)]
        self._ports = {
            name: (member.flow, Shape.cast(member.shape).width)
            for name, member in self._units[0].signature.members.items()
        }
        super().__init__(
            {
                name: (In if flow is In else Out)(count * width)
                for name, (flow, width) in self._ports.items()
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        for lane, unit in enumerate(self._units):
            m.submodules[f"unit_{lane}"] = unit
            for name, (flow, width) in self._ports.items():
                ours = getattr(self, name)[lane * width : (lane + 1) * width]
                port = getattr(unit, name)
                m.d.comb += port.eq(ours) if flow is In else ours.eq(port)
        return m


@dataclass(frozen=True)
class Values:
    """What goes through a port, a row a cycle: values of so many bits, so many cycles late."""

    rows: Bits
    bits: int
    late: int = 0


async def check(dut: Any, given: Mapping[str, Values], due: Mapping[str, Values]) -> None:
    """Give rows, a cycle after another; what is due is there on its cycle.

    Before and after its rows a port is given zeros.
    """
    bench = Bench(dut)
    await bench.reset()
    for cycle in range(
        max(len(each.rows) + each.late for each in (*given.values(), *due.values()))
    ):
        for name, values in given.items():
            row = cycle - values.late
            known = 0 <= row < len(values.rows)
            set_value(getattr(dut, name), joined(values.rows[row], values.bits) if known else 0)
        await bench.cycles()
        for name, values in due.items():
            row = cycle - values.late
            if 0 <= row < len(values.rows):
                found = split(getattr(dut, name).value, values.rows.shape[1], values.bits)
                wrong = np.flatnonzero(found != values.rows[row])
                assert not len(wrong), (
                    f"row {row}, lane {wrong[0]}: {name} is {found[wrong[0]]:x}, not"
                    f" {values.rows[row, wrong[0]]:x}, of "
                    + str({key: hex(each.rows[row].flat[min(wrong[0], each.rows.shape[1] - 1)])
                           for key, each in given.items()})
                )  # fmt: skip


async def pulses(bench: Bench, port: Any, cycles: list[int]) -> None:
    """Note the cycles in which a port is 1, for as long as the test runs."""
    while True:
        await bench.cycles()
        if port.value:
            cycles.append(bench.cycle)


def in_rows(values: Bits, lanes: int) -> Bits:
    """Values as rows of so many; the last one is filled with zeros."""
    return np.pad(values, (0, -len(values) % lanes)).reshape(-1, lanes)


def joined(values: Bits, bits_each: int) -> int:
    """Values as one number, the first lowest; of less than 8 bits each, or of whole bytes."""
    if bits_each < 8:
        places = values.astype(np.uint8)[:, None] >> np.arange(bits_each) & 1
        raw = np.packbits(places.astype(np.uint8).ravel(), bitorder="little")
    else:
        raw = values.astype(f"<u{bits_each // 8}")
    return int.from_bytes(raw.tobytes(), "little")


def split(value: Any, count: int, bits_each: int) -> Bits:
    """The values of a port, of whole bytes each."""
    raw = unsigned(value).to_bytes(count * bits_each // 8, "little")
    return np.frombuffer(raw, f"<u{bits_each // 8}").astype(np.int64)


def floats(values: Bits, token_format: str) -> torch.Tensor:
    """16-bit floats of these bits."""
    return torch.from_numpy(values.astype(np.uint16).view(np.int16)).view(DTYPES[token_format])


def singles(values: Bits) -> torch.Tensor:
    """Float32 of these bits."""
    return torch.from_numpy(values.astype(np.uint32).view(np.float32))


def bits(values: torch.Tensor) -> Bits:
    """Bits of float32, or of 16-bit floats."""
    if values.dtype == torch.float32:
        return values.view(torch.int32).numpy().astype(np.int64) & 0xFFFF_FFFF
    return values.view(torch.int16).numpy().astype(np.int64) & 0xFFFF
