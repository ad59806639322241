"""The control registers through cocotbext-axi's AXI4-Lite master, word by word against the map."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiResp

from hw.bus.axi_lite import ControlRegisters
from hw.bus.register import Register
from hw.bus.registers import REGISTERS, VERSION
from hw.config import PRESETS, EngineConfig
from tb.axi_memory import pauses
from tb.control import HOST_INIT, INTERRUPT_ENABLE, JOB, JOB_FIELDS, OFFSETS, Host
from tb.layouts import decode_words
from tb.runner import simulate
from tb.streams import set_value

CONFIGS = {"tiny": PRESETS["tiny"], "paper": PRESETS["paper"]}
WORD = 0xFFFF_FFFF
COUNTERS = {
    f"cycles_{stage}": 48
    for stage in ("total", "quantize", "init", "pair", "sort", "update", "topk", "dau")
}


def job_words(config: EngineConfig, register: Register) -> list[tuple[int, int]]:
    """(offset, mask) of each word of a job register; the mask from the rules, not the map."""
    width = {"EPSILON": 16}.get(register.name, 32)
    mask = (1 << width) - 1
    if register.name.endswith("_ADDRESS"):
        mask = (1 << config.address_bits) - config.bus_bytes
    return [(offset, mask >> 32 * i & WORD) for i, (_, offset) in enumerate(register.word_names)]


@cocotb.test()
async def reset_values(dut: Any) -> None:
    """The constants, the reset values, and what the engine's inputs read."""
    host = Host(dut)
    await host.bench.reset()
    expected = dict.fromkeys(OFFSETS, 0)
    expected["ID"] = int.from_bytes(b"ORBS", "big")
    expected["VERSION"] = VERSION
    expected["CONFIG_HASH"] = host.config.hash
    assert await host.words() == expected
    assert not any(host.order().values())

    rng = random.Random(2)
    held = {
        register.member: register.width(host.config)
        for register in REGISTERS if register.holder == "engine" and not register.fields
    }  # fmt: skip
    assert {"pairings": 32, "moved_slots": 32, **COUNTERS}.items() <= held.items()
    for name, bits in held.items():
        value = rng.getrandbits(bits)
        set_value(getattr(dut, name), value)
        words = decode_words(32, value, (bits + 31) // 32)
        names = [f"{name}_lo", f"{name}_hi"] if bits > 32 else [name]
        expected |= dict(zip((n.upper() for n in names), words, strict=True))
    assert await host.words() == expected


@cocotb.test()
async def job_registers(dut: Any) -> None:
    """Each keeps its own value, shows it on ``order``, and refuses bits that do not exist."""
    host = Host(dut)
    await host.bench.reset()
    rng = random.Random(1)
    expected: dict[str, int] = {}
    for _ in range(2):
        for register in JOB:
            value = 0
            for index, (offset, mask) in enumerate(job_words(host.config, register)):
                word = rng.getrandbits(32) & mask
                await host.write(offset, word)
                value |= word << 32 * index
                for bit in range(32):
                    if not mask >> bit & 1:
                        await host.write(offset, word ^ mask | 1 << bit, AxiResp.SLVERR)
            expected[register.name.lower()] = value
    for field, mask in JOB_FIELDS.items():
        await host.write(OFFSETS["CONTROL"], mask)
        assert host.order() == expected | dict.fromkeys(JOB_FIELDS, 0) | {field: 1}
    for register in JOB:
        words = [await host.read(o) for o, _ in job_words(host.config, register)]
        assert sum(w << 32 * i for i, w in enumerate(words)) == expected[register.name.lower()]
    await host.bench.reset()
    assert not any(host.order().values())


@cocotb.test()
async def read_only_registers(dut: Any) -> None:
    """A write is refused and changes nothing."""
    host = Host(dut)
    await host.bench.reset()
    before = await host.words()
    for register in REGISTERS:
        if register.access == "ro":
            for _, offset in register.word_names:
                await host.write(offset, WORD, AxiResp.SLVERR)
                await host.write(offset, 0, AxiResp.SLVERR)
    assert await host.words() == before
    assert dut.start.value == 0


@cocotb.test()
async def unknown_addresses(dut: Any) -> None:
    """Every offset beside the map answers DECERR, reads 0 and changes nothing."""
    host = Host(dut)
    await host.bench.reset()
    for register in JOB:
        for offset, mask in job_words(host.config, register):
            await host.write(offset, mask)
    before = await host.words()
    for offset in range(0, 1 << 12, 4):
        if offset not in OFFSETS.values():
            assert await host.read(offset, AxiResp.DECERR) == 0
            await host.write(offset, 0, AxiResp.DECERR)
    assert await host.words() == before


@cocotb.test()
async def byte_strobes(dut: Any) -> None:
    """Only strobed bytes are written, and only they can be refused or act."""
    host = Host(dut)
    await host.bench.reset()
    rng = random.Random(3)
    value = 0
    for _ in range(60):
        size = rng.choice((1, 1, 2, 3, 4))
        place = rng.randint(0, 4 - size)
        part = rng.getrandbits(8 * size)
        await host.write(OFFSETS["SEED"] + place, part, size=size)
        mask = ((1 << 8 * size) - 1) << 8 * place
        value = value & ~mask | part << 8 * place
        assert await host.read(OFFSETS["SEED"]) == value
    assert host.order()["seed"] == value
    await host.write(OFFSETS["EPSILON"], 0xABCD, size=2)
    await host.write(OFFSETS["EPSILON"] + 2, 1, AxiResp.SLVERR, size=1)
    assert await host.read(OFFSETS["EPSILON"]) == 0xABCD
    await host.write(OFFSETS["CONTROL"] + 1, 0, size=3)
    await host.write(OFFSETS["CONTROL"], INTERRUPT_ENABLE | HOST_INIT)
    await host.write(OFFSETS["CONTROL"] + 1, 0, size=3)
    assert await host.read(OFFSETS["CONTROL"]) == INTERRUPT_ENABLE | HOST_INIT
    assert dut.busy.value == 0


@cocotb.test()
@cocotb.parametrize(late=["none", "aw", "w", "all"])
async def channel_order(dut: Any, late: str) -> None:
    """Address before data, data before address, and stalls on all five channels."""
    host = Host(dut)
    master = host.master
    channels = {
        "aw": master.write_if.aw_channel,
        "w": master.write_if.w_channel,
        "b": master.write_if.b_channel,
        "ar": master.read_if.ar_channel,
        "r": master.read_if.r_channel,
    }
    slow = {"none": [], "aw": ["aw"], "w": ["w"], "all": list(channels)}[late]
    for seed, name in enumerate(slow):
        channels[name].set_pause_generator(pauses(0.7, seed))
    cocotb.start_soon(check_responses(dut))
    await host.bench.reset()
    rng = random.Random(4)
    names = [name for name in OFFSETS if name in {r.name for r in JOB} - {"EPSILON"}]
    expected = {name: rng.getrandbits(32) for name in names}
    # All at once: the master fills its queues and the block has to stall it.
    writes = [master.init_write(OFFSETS[n], expected[n].to_bytes(4, "little")) for n in names]
    for write in writes:
        await write.wait()
        assert write.data.resp == AxiResp.OKAY
    reads = [master.init_read(OFFSETS[n], 4) for n in names]
    for name, read in zip(names, reads, strict=True):
        await read.wait()
        assert int.from_bytes(read.data.data, "little") == expected[name]


async def check_responses(dut: Any) -> None:
    """B and R hold, once offered, until they are taken."""
    held: dict[str, list[int] | None] = {"b": None, "r": None}
    payloads = {"b": [dut.bus__bresp], "r": [dut.bus__rresp, dut.bus__rdata]}
    while True:
        await RisingEdge(dut.clk)
        for name, handles in payloads.items():
            now = [int(handle.value) for handle in handles]
            valid = bool(getattr(dut, f"bus__{name}valid").value) and not dut.rst.value
            assert held[name] is None or (valid and held[name] == now), f"{name} was not held"
            ready = getattr(dut, f"bus__{name}ready").value
            held[name] = now if valid and not ready else None


@cocotb.test()
async def reset_within_a_write(dut: Any) -> None:
    """An address from before a reset does not meet the data after it."""
    host = Host(dut)
    host.master.write_if.w_channel.pause = True
    await host.bench.reset()
    host.master.init_write(OFFSETS["SEED"], bytes(4))
    await host.bench.cycles(6)
    await host.bench.reset()
    await host.bench.cycles(2)
    host.master.write_if.w_channel.pause = False
    await host.write(OFFSETS["TOKENS"], 9)
    assert host.order() == dict.fromkeys(host.order(), 0) | {"tokens": 9}


@cocotb.test()
async def latencies(dut: Any) -> None:
    """A response comes as many cycles after the last of its request as the block says."""
    host = Host(dut)
    await host.bench.reset()
    seen: dict[str, int] = {}

    async def watch(name: str) -> None:
        while True:
            await RisingEdge(dut.clk)
            valid, ready = (getattr(dut, f"bus__{name}{end}").value for end in ("valid", "ready"))
            if valid and (ready or name in "br"):
                seen.setdefault(name, host.bench.cycle)

    for name in ("aw", "w", "b", "ar", "r"):
        cocotb.start_soon(watch(name))
    await host.write(OFFSETS["SEED"], 1)
    await host.read(OFFSETS["SEED"])
    assert seen["b"] - max(seen["aw"], seen["w"]) == ControlRegisters.write_latency
    assert seen["r"] - seen["ar"] == ControlRegisters.read_latency


@pytest.mark.parametrize("name", CONFIGS)
def test_axi_lite(name: str) -> None:
    config = CONFIGS[name]
    simulate(ControlRegisters(config), __name__, f"axi_lite_{name}", given=config.as_dict())
