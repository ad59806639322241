"""The quantise stage against the golden quantiser: levels, weights, places, and the cycles."""

from dataclasses import dataclass, field, replace
from typing import Any

import cocotb
import pytest
import torch
from torch import Tensor

from golden.qe import Quantized, quantize
from hw.config import LEVEL_BITS, PRESETS, RECORD_BITS, TOKEN_BEATS, EngineConfig
from hw.job import Job
from hw.quantize.qe import QuantizationEngine
from hw.words import chunk_weights
from tb.layouts import encode, from_bytes, to_bytes
from tb.memory import LATENCY, Memory, ReadMemory, WriteMemory
from tb.quantize.tokens import DTYPES, ordinary, random_bits
from tb.runner import parameters, simulate
from tb.scratched import Scratched
from tb.streams import Bench, Sink, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,
    "tiny-bf16": replace(TINY, token_format="bf16", quantize_lanes=4),
    "tiny-shared": replace(TINY, scale_group=4),
    "four-lanes-shared-bf16": replace(
        TINY, scale_group=4, quantize_lanes=4, token_format="bf16", weight_bits=5
    ),
    "all-lanes": replace(TINY, quantize_lanes=8, weight_bits=1),
    "wide-shared": replace(TINY, bus_bytes=32, max_channels=128, scale_group=4, quantize_lanes=16),
}


@dataclass
class Station:
    """The engine with its memory, and the sorter that the engine lends it."""

    bench: Bench
    config: EngineConfig
    stall: float = 0.0
    seed: int = 0
    memory: Memory = field(init=False)
    reads: ReadMemory = field(init=False)
    writes: WriteMemory = field(init=False)
    weights: Sink = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        regions = {
            "tokens_address": config.max_tokens * config.max_token_row_beats,
            "quantized_address": config.max_tokens * config.max_row_beats,
            "records_address": config.beats_of(config.max_channels, RECORD_BITS),
        }
        self.addresses: dict[str, int] = {}
        size = 0
        for name, beats in regions.items():
            self.addresses[name] = size
            size += beats * config.bus_bytes
        self.memory = Memory(size, seed=self.seed)
        for name in ("run__start", "sort__done"):
            getattr(self.bench.dut, name).value = 0
        self.attach()
        if config.scale_group > 1:  # Else nobody drives the start.
            cocotb.start_soon(self._sorter())

    def attach(self) -> None:
        """Drive the ports that memory drives; again after a reset."""
        options: dict[str, Any] = {"stall": self.stall, "seed": self.seed}
        self.reads = ReadMemory(self.bench, "read", self.config, self.memory, **options)
        self.writes = WriteMemory(self.bench, "write", self.config, self.memory, **options)
        self.weights = Sink(self.bench, "weight", chunk_weights(self.config))

    async def _sorter(self) -> None:
        dut, records = self.bench.dut, self.addresses["records_address"]
        while True:
            await self.bench.cycles()
            dut.sort__done.value = 0
            if dut.sort__start.value:
                size = int(dut.sort_count.value) * RECORD_BITS // 8
                words = sorted(from_bytes(RECORD_BITS, self.memory.read(records, size)))
                self.memory.load(records, to_bytes(RECORD_BITS, words))
                dut.sort__done.value = 1

    async def start(self, tokens: Tensor) -> None:
        """Load ``tokens`` [N, D], rows padded to beats with zeros, and start the job."""
        config = self.config
        count, channels = tokens.shape
        row_beats = config.beats_of(channels, LEVEL_BITS)
        padded = torch.zeros(count, row_beats * config.levels_per_beat, dtype=tokens.dtype)
        padded[:, :channels] = tokens
        content = padded.view(torch.int16).numpy().astype("<i2").tobytes()
        self.memory.load(self.addresses["tokens_address"], content)
        # The engine heeds no other member.
        unused = {name: 0 for name, _ in Job(config)}
        job = unused | self.addresses | {"tokens": count, "row_beats": row_beats}
        set_value(self.bench.dut.job, encode(Job(config), job))
        await self.bench.start()

    async def run(self, tokens: Tensor) -> int:
        """A whole job; its cycles."""
        self.weights.taken.clear()
        await self.start(tokens)
        cycles = await self.bench.done(400_000)
        await self.bench.cycles()
        return cycles

    def check(self, tokens: Tensor) -> None:
        """Compare levels, padding and weights in memory with the golden ones."""
        config = self.config
        expected = quantize(
            tokens,
            token_format=config.token_format,  # type: ignore[arg-type]
            scale_group=config.scale_group,
            weight_bits=config.weight_bits,
        )
        count, channels = tokens.shape
        row_beats = config.beats_of(channels, LEVEL_BITS)
        row = row_beats * config.bus_bytes
        content = self.memory.read(self.addresses["quantized_address"], count * row)
        levels = torch.tensor(
            [from_bytes(LEVEL_BITS, content[i : i + row]) for i in range(0, len(content), row)]
        )
        assert torch.equal(levels[:, :channels], expected.q.to(levels.dtype))
        assert not levels[:, channels:].any()

        found = self.weights.values
        chunks = row_beats * config.chunks_per_beat
        assert [chunk["index"] for chunk in found] == list(range(chunks))
        weights = [weight for chunk in found for weight in chunk["weights"]]
        assert weights == self._golden_weights(expected, chunks)

    def _golden_weights(self, expected: Quantized, chunks: int) -> list[int]:
        """One weight a channel of the padded row, or one a group."""
        config = self.config
        padded = torch.zeros(chunks * config.channel_lanes, dtype=torch.int64)
        padded[: len(expected.weight)] = expected.weight
        weights: list[int] = padded[:: config.scale_group].tolist()
        return weights


def station(dut: object, stall: float = 0.0, seed: int = 0) -> Station:
    return Station(Bench(dut), EngineConfig(**parameters()), stall, seed)


def edges(config: EngineConfig, count: int, channels: int) -> Tensor:
    """Each channel another kind of trouble."""
    dtype = DTYPES[config.token_format]
    limits = torch.finfo(dtype)
    tokens = ordinary(config, count, channels, 5)
    ramp = torch.arange(count, dtype=torch.float32)
    kinds = [
        torch.full((count,), 3.25),
        torch.where(ramp % 2 == 0, 0.0, -0.0),
        ramp * limits.smallest_normal / 16,
        torch.where(ramp % 3 == 0, -limits.smallest_normal, limits.smallest_normal / 8),
        ramp,
        ramp * 0.5 - 7.5,
        torch.where(ramp == 1, 1000.0, 0.001),
        torch.full((count,), limits.max),
        torch.where(ramp == 0, -0.0, ramp),
        torch.where(ramp % 2 == 0, 1.0, 1.0 + limits.eps),
        -ramp,
    ]
    for channel, kind in enumerate(kinds):
        tokens[:, channel] = kind.to(dtype)
    return tokens


def extremes(config: EngineConfig, count: int, channels: int) -> Tensor:
    """The format's whole range in one channel, beside subnormals."""
    tokens = edges(config, count, channels)
    limits = torch.finfo(tokens.dtype)
    tokens[:, -1] = torch.linspace(-1, 1, count).to(tokens.dtype) * limits.max
    tokens[0, -1], tokens[1, -1] = limits.min, limits.max
    return tokens


@cocotb.test()
async def levels_weights_and_places(dut: object) -> None:
    """Ordinary and edge jobs of every shape, one after another without a reset."""
    engine = station(dut)
    config = engine.config
    await engine.bench.reset()
    most, full = config.max_channels, config.max_tokens
    constant = torch.full((3, most), -2.5, dtype=DTYPES[config.token_format])
    jobs = [
        ordinary(config, full, most, 1),
        ordinary(config, 2, most - 5, 2),
        ordinary(config, 21, config.levels_per_beat, 3),
        edges(config, 16, most - 3),
        extremes(config, 9, most),
        random_bits(config, 30, most, 4),
        random_bits(config, 2, 12, 5),
        constant,
    ]
    for tokens in jobs:
        await engine.run(tokens)
        engine.check(tokens)
        assert not engine.bench.dut.nonfinite.value


@cocotb.test()
async def stalls_change_nothing(dut: object) -> None:
    """Memory that stalls at random on every channel."""
    for stall in (0.3, 0.8):
        engine = station(dut, stall, seed=int(stall * 10))
        await engine.bench.reset()
        tokens = random_bits(engine.config, 20, engine.config.max_channels, 6)
        await engine.run(tokens)
        engine.check(tokens)
        engine.reads.stop()
        engine.writes.stop()


@cocotb.test()
async def nonfinite_values_end_the_job(dut: object) -> None:
    """A NaN or an infinity in any place: flag and done, nothing written, and no trace after."""
    engine = station(dut)
    config = engine.config
    await engine.bench.reset()
    clean = ordinary(config, 6, config.max_channels, 7)
    for row, channel, value in ((0, 0, torch.nan), (5, -1, torch.inf), (3, 9, -torch.inf)):
        tokens = clean.clone()
        tokens[row, channel] = value
        await engine.run(tokens)
        assert dut.nonfinite.value  # type: ignore[attr-defined]
        assert not engine.weights.words
        assert not engine.writes.requests
        await engine.bench.cycles(5)
        assert dut.nonfinite.value  # type: ignore[attr-defined]
    await engine.run(clean)
    assert not dut.nonfinite.value  # type: ignore[attr-defined]
    engine.check(clean)


@cocotb.test()
async def reset_at_any_time(dut: object) -> None:
    """After a reset in each stage the next job's result is right."""
    engine = station(dut)
    config = engine.config
    await engine.bench.reset()
    dropped = random_bits(config, 12, config.max_channels, 8)
    tokens = ordinary(config, 10, config.max_channels - 4, 9)
    whole = await engine.run(dropped)
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        await engine.start(dropped)
        await engine.bench.cycles(int(part * whole))
        engine.reads.stop()
        engine.writes.stop()
        engine.weights.stop()
        await engine.bench.reset()
        engine.attach()
        await engine.run(tokens)
        engine.check(tokens)


@cocotb.test()
async def stages_take_their_cycles(dut: object) -> None:
    """Rows are read without a gap at the stages' rates, and a job takes the sum of its stages."""
    engine = station(dut)
    config = engine.config
    await engine.bench.reset()
    for count, row_beats in ((config.max_tokens, config.max_row_beats), (19, 1)):
        tokens = ordinary(config, count, row_beats * config.levels_per_beat, 10)
        first_beat = len(engine.reads.sent)
        total = await engine.run(tokens)
        engine.check(tokens)
        stages = QuantizationEngine.cycles(config, count, row_beats)

        # A beat is taken with the last of its words.
        row_beats_in = TOKEN_BEATS * row_beats
        words_per_beat = config.values_per_beat // config.quantize_lanes
        beats, inside = row_beats_in * count, (row_beats_in - 1) * words_per_beat
        cycles = [cycle for cycle, _ in engine.reads.sent[first_beat:]]
        assert cycles[beats - 1] - cycles[0] == stages["statistics"] - words_per_beat
        row = stages["quantize"] // count
        assert cycles[-1] - cycles[-beats] == (count - 1) * row + inside

        # Memory is waited for before both passes and after the rows, and before and after a sort.
        waits = LATENCY * (3 if config.scale_group == 1 else 5)
        assert 0 <= total - sum(stages.values()) - waits <= QuantizationEngine.overhead


def run_engine(name: str, config: EngineConfig, testcase: str | None = None) -> None:
    simulate(
        Scratched(config, QuantizationEngine(config)),
        __name__,
        f"qe_{name.replace('-', '_')}",
        given=config.as_dict(),
        testcase=testcase,
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_qe(name: str) -> None:
    run_engine(name, CONFIGS[name])


def test_qe_of_the_demo_preset() -> None:
    run_engine("demo", PRESETS["demo"], "stages_take_their_cycles")
