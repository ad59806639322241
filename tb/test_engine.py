"""The engine through its AXI ports, driven by cocotbext-axi's master and RAM."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from golden.options import MatchOptions
from hw.bus.axi import CACHE, PROT
from hw.bus.registers import STAGES, VERSION, counter_member
from hw.config import PRESETS, EngineConfig
from hw.emit.description import RESET_CYCLES
from hw.emit.maps import registers_json
from hw.engine import DatmEngine
from tb.axi_memory import pauses
from tb.axi_serial_memory import AxiSerialMemory
from tb.control import BAD_JOB, BUSY, DONE, NONFINITE, OFFSETS, job_writes
from tb.jobs import MEMORY_BYTES, MatchCase, match_cases, random_tokens
from tb.memory import Memory
from tb.runner import parameters, simulate
from tb.streams import Bench

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "odd": replace(
        PRESETS["tiny"], max_channels=128, dst_lanes=3, src_lanes=6, channel_lanes=16,
        src_groups=3, bus_bytes=32, quantize_lanes=4, sorter_width=8,
    ),
    "demo": PRESETS["demo"],
}  # fmt: skip


class EngineBench:
    """A `DatmEngine`, a RAM on its memory port and a master on its registers.

    With ``serial`` memory serves one transaction at a time, as `AxiSerialMemory` prefers.
    """

    def __init__(self, dut: Any, serial: str | None = None):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        if serial is None:
            self.ram = AxiRam(AxiBus.from_prefix(dut, "axi_"), dut.clk, dut.rst, size=MEMORY_BYTES)
            self.load, self.content = self.ram.write, self.ram.read
        else:
            memory = Memory(MEMORY_BYTES)
            self.serial = AxiSerialMemory(
                self.bench, self.config, memory, latency=3, prefers=serial
            )
            self.load, self.content = memory.load, memory.read
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "control_"), dut.clk, dut.rst)

    def stall(self, probability: float, seed: int) -> None:
        """Make every channel of the memory pause at random."""
        write, read = self.ram.write_if, self.ram.read_if
        channels = (
            write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel,
        )  # fmt: skip
        for index, channel in enumerate(channels):
            channel.set_pause_generator(pauses(probability, seed + index))

    async def read(self, name: str) -> int:
        """Read a register of one word."""
        return int(await self.host.read_dword(OFFSETS[name]))

    async def cycles(self, stage: str) -> int:
        """Read a cycle counter."""
        name = counter_member(stage).upper()
        return await self.read(f"{name}_LO") | await self.read(f"{name}_HI") << 32

    async def start(self, order: dict[str, int]) -> None:
        """Write the job registers and start."""
        for offset, word in job_writes(order):
            await self.host.write_dword(offset, word)

    async def finish(self) -> int:
        """Wait for the interrupt and clear it; the status."""
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), 4, "ms")
        await self.host.write_dword(OFFSETS["INTERRUPT"], 1)
        await self.bench.cycles(4)
        assert not self.dut.irq.value
        return await self.read("STATUS")

    async def run(self, case: MatchCase) -> None:
        """Run a job and compare its results."""
        case.load(self.load)
        await self.start(case.order())
        assert await self.finish() == DONE
        case.compare(self.content, await self.read("PAIRINGS"))


@cocotb.test()
async def tells_what_it_is(dut: Any) -> None:
    """Identity, version and the hash that a driver checks."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    assert await rig.read("ID") == int.from_bytes(b"ORBS", "big")
    assert await rig.read("VERSION") == VERSION
    assert await rig.read("CONFIG_HASH") == rig.config.hash
    assert await rig.read("STATUS") == 0


@cocotb.test()
async def resets_to_what_the_description_says(dut: Any) -> None:
    """Every word of every register, after a reset as short as it may be."""
    rig = EngineBench(dut)
    await rig.bench.reset(RESET_CYCLES)
    for register in registers_json(rig.config):
        for word in range(register["words"]):
            found = await rig.host.read_dword(register["offset"] + 4 * word)
            assert found == register["reset"] >> 32 * word & 0xFFFF_FFFF, register["name"]


@cocotb.test()
async def never_changes_what_is_constant(dut: Any) -> None:
    """Kind of memory and protection, on every address of a job."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    case = match_cases(rig.config, 12)[0]
    case.load(rig.load)
    await rig.start(case.order())
    seen = {"aw": 0, "ar": 0}
    while not dut.irq.value:
        for channel in seen:
            if getattr(dut, f"axi__{channel}valid").value:
                seen[channel] += 1
                assert getattr(dut, f"axi__{channel}cache").value == CACHE
                assert getattr(dut, f"axi__{channel}prot").value == PROT
        await rig.bench.cycles()
    assert all(seen.values())


@cocotb.test()
async def exact(dut: Any) -> None:
    """Every case, one job after another, results from memory."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    for case in match_cases(rig.config, 40):
        await rig.run(case)


@cocotb.test()
async def exact_with_stalls(dut: Any) -> None:
    """Pauses on every channel change no result."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    rig.stall(0.5, 7)
    for case in match_cases(rig.config, 26)[3:7]:
        await rig.run(case)


@cocotb.test()
@cocotb.parametrize(prefers=["read", "write", "any"])
async def one_transaction_at_a_time(dut: Any, prefers: str) -> None:
    """Memory that takes no other address before the one it took is served starves nothing."""
    rig = EngineBench(dut, serial=prefers)
    await rig.bench.reset(4)
    for case in match_cases(rig.config, 26)[3:8]:
        await rig.run(replace(case, read_ahead=False))
    assert rig.serial.reads > rig.serial.writes > 100


@cocotb.test()
async def counts_the_cycles_of_each_stage(dut: Any) -> None:
    """The stages add up to the total, and the DAU's share is the number of its chunks."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    config = rig.config
    tokens = random_tokens(config, 40, config.max_channels, 3)
    refined = MatchCase(config, tokens, 8, 9, MatchOptions(seed=1, epsilon=0))
    for case in (refined, replace(refined, every_pair=True)):
        await rig.run(case)
        stages = [await rig.cycles(stage) for stage in STAGES]
        assert all(stages)
        assert await rig.cycles("total") == sum(stages) + 1  # The end itself.
    # With every_pair no pass compares less, but where it is abandoned.
    pairings = await rig.read("PAIRINGS")
    assert pairings > 1
    tiles = -(-32 // config.src_lanes) * -(-8 // config.dst_lanes)
    whole = pairings * tiles * refined.sizes.chunks
    assert whole // 2 < await rig.cycles("dau") <= whole

    # The dst of one tile are compared whole.
    options = MatchOptions(seed=1, max_iterations=1)
    case = MatchCase(config, tokens, config.dst_lanes, 5, options)
    await rig.run(case)
    groups = -(-(40 - config.dst_lanes) // config.src_lanes)
    assert await rig.cycles("dau") == groups * case.sizes.chunks


@cocotb.test()
async def refuses_bad_jobs(dut: Any) -> None:
    """A job that breaks a rule ends with its error bit, and the next one runs."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    case = MatchCase(rig.config, random_tokens(rig.config, 12, 4, 1), 3, 4)
    await rig.start(case.order() | {"num_dst": 12})
    assert await rig.finish() == DONE | BAD_JOB
    tokens = case.tokens.clone()
    tokens[11, 3] = torch.nan
    not_a_number = replace(case, tokens=tokens)
    not_a_number.load(rig.load)
    await rig.start(not_a_number.order())
    assert await rig.finish() == DONE | NONFINITE
    await rig.run(case)


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """Resets while bursts are under way, at any time of a job; then a right run."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    case = MatchCase(rig.config, random_tokens(rig.config, 30, rig.config.max_channels, 9), 8, 10)
    await rig.run(case)
    total = await rig.cycles("total")
    chance = random.Random(3)
    for part in range(5):
        case.load(rig.load)
        await rig.start(case.order())
        await rig.bench.cycles(int(total * (part + chance.random()) / 6))
        assert await rig.read("STATUS") == BUSY
        await rig.bench.reset(RESET_CYCLES)
        await rig.bench.cycles(4)
        assert await rig.read("STATUS") == 0
    await rig.run(case)


@pytest.mark.parametrize("name", CONFIGS)
def test_engine(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        DatmEngine(config), __name__, f"engine_{name.replace('-', '_')}", given=config.as_dict()
    )
