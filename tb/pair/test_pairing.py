"""Passes of a pairing against plain Python and the golden model, and the cycles that they take."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch

from golden.dau import Points, distances
from golden.min_tree import nearest
from golden.qe import Quantized
from hw.config import HISTORY_WORD_BITS, PRESETS, EngineConfig
from hw.pair.dst_loader import DstLoader
from hw.pair.least_two import LeastTwo
from hw.pair.pairing import Pairing
from hw.pair.settle import Settle
from hw.words import NO_SLOT, dst_word, entry
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes, weight_words
from tb.layouts import from_bytes, to_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.scratched import Scratched
from tb.streams import Bench, Lookup, Watch, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,
    "tiny-shared": replace(TINY, scale_group=4),
    "demo": PRESETS["demo"],
    "narrow": replace(TINY, dst_lanes=1, src_lanes=1, src_groups=1),
    "odd": replace(TINY, dst_lanes=3, src_lanes=6, channel_lanes=16, src_groups=3, bus_bytes=32),
    "wide": replace(TINY, dst_lanes=4, src_lanes=4, channel_lanes=16, src_groups=2),
}
LATENCY = 100


class Tokens:
    """A token set, its dst, and what each token's entry must be, kept in plain Python."""

    def __init__(self, sizes: Sizes, seed: int, levels: int):
        self.sizes = sizes
        self.farthest = (1 << sizes.config.distance_bits) - 1
        self.generator = torch.Generator().manual_seed(seed)
        self.quantized: Quantized = random_quantized(sizes, self.generator, levels=levels)
        self.dst = torch.randperm(sizes.tokens, generator=self.generator)[: sizes.num_dst]
        everyone = torch.arange(sizes.tokens)
        self.distance = distances(self.quantized, everyone, everyone).tolist()
        self.entries = [
            {"loss": 0, "bound": 0, "slot": NO_SLOT, "count": 0, "is_dst": 0, "full": 1,
             "joined": 0, "zero": 0}
            for _ in range(sizes.tokens)
        ]  # fmt: skip
        for slot, token in enumerate(self.dst.tolist()):
            self.entries[token] = self._dst_entry(slot)

    @staticmethod
    def _dst_entry(slot: int) -> dict[str, int]:
        return {"loss": 0, "bound": 0, "slot": slot, "count": 3, "is_dst": 1, "full": 0,
                "joined": 0, "zero": 0}  # fmt: skip

    def move(self, share: float) -> list[int]:
        """Move some slots to other tokens of their groups; the slots, at least one."""
        groups: dict[int, list[int]] = {}
        for token, each in enumerate(self.entries):
            if not each["is_dst"]:
                groups.setdefault(each["slot"], []).append(token)
        chosen = [
            slot for slot in sorted(groups)
            if torch.rand((), generator=self.generator) < share
        ] or sorted(groups)[:1]  # fmt: skip
        for slot in chosen:
            members, old = groups[slot], int(self.dst[slot])
            pick = int(torch.randint(len(members), (), generator=self.generator))
            self.dst[slot] = members[pick]
            self.entries[members[pick]] = self._dst_entry(slot)
            self.entries[old] = self.entries[old] | {"is_dst": 0, "full": 1, "slot": slot}
        return chosen

    def pass_over(self, moved: list[int] | None, *, every_pair: bool = False) -> int:
        """What a pass makes of the entries; the losses of the src that it settles."""
        total = 0
        for token, old in enumerate(self.entries):
            wanted = every_pair or bool(old["full"]) != (moved is not None)
            if old["is_dst"] or not wanted:
                continue
            slots = range(len(self.dst)) if moved is None else moved
            ranked = sorted((self.distance[token][int(self.dst[slot])], slot) for slot in slots)
            (least, slot), second = ranked[0], ranked[1][0] if len(ranked) > 1 else self.farthest
            new = old | {"loss": least, "slot": slot, "bound": second, "full": 0}
            if moved is not None and old["slot"] not in moved:
                others = sorted([*ranked, (old["loss"], old["slot"])])
                new |= {
                    "loss": others[0][0], "slot": others[0][1],
                    "bound": min(others[1][0], old["bound"]),
                }  # fmt: skip
            elif moved is not None and least < old["bound"]:
                new["bound"] = min(second, old["bound"])
            elif moved is not None:
                new = old | {"full": 1}
            if not new["full"]:
                new["joined"] = int(new["slot"] != old["slot"])
                total += new["loss"]
            self.entries[token] = new
        return total

    def check_nearest(self) -> None:
        """What is kept for each src is what a pairing of everything would find."""
        src = torch.tensor([i for i, each in enumerate(self.entries) if not each["is_dst"]])
        slots = nearest(Points(self.quantized), src, self.dst).tolist()
        assert [self.entries[token]["slot"] for token in src.tolist()] == slots


class PairingBench:
    """A `Pairing` with its memory and weights, played by Python."""

    def __init__(self, dut: object, *, stall: float = 0.0, latency: int = LATENCY, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.weights = [0]
        self.dut.run__start.value = 0
        self._clients: list[ReadMemory | WriteMemory] = [
            ReadMemory(
                self.bench, name, self.config, self.memory, latency=latency, stall=stall, seed=seed
            )
            for name in ("read_entries", "read_rows")
        ]
        self._clients.append(
            WriteMemory(
                self.bench, "write", self.config, self.memory, latency=latency, stall=stall,
                seed=seed,
            )
        )  # fmt: skip
        Lookup(
            self.bench,
            "weight",
            lambda chunk: self.weights[chunk] if chunk < len(self.weights) else 0,
        )

    def stop(self) -> None:
        """Stop every neighbour, as on a reset."""
        for client in self._clients:
            client.stop()

    def load(self, tokens: Tokens) -> None:
        """Put the rows, the entries and the dst list into memory."""
        sizes = tokens.sizes
        self.weights = weight_words(sizes, tokens.quantized.weight)
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.quantized.q))
        self.memory.load(ADDRESS["ENTRIES"], to_bytes(entry(), tokens.entries))
        self._list("DST", enumerate(tokens.dst.tolist()))
        set_value(self.dut.job, sizes.job())

    def _list(self, region: str, slots: Any) -> None:
        words = [{"token": token, "slot": slot, "zero": 0, "zero_too": 0} for slot, token in slots]
        self.memory.load(ADDRESS[region], to_bytes(dst_word(), words))

    async def run(
        self,
        tokens: Tokens,
        moved: list[int] | None = None,
        *,
        begins: bool = True,
        every_pair: bool = False,
        pairings: int = 0,
    ) -> tuple[int, int]:
        """Run a pass and compare the entries and L; its cycles and those that the DAU worked."""
        dut = self.dut
        self.load(tokens)
        if moved is not None:
            self._list("MOVED", ((slot, int(tokens.dst[slot])) for slot in moved))
        dut.moved.value = int(moved is not None)
        set_value(dut.num_moved, 0 if moved is None else len(moved))
        dut.every_pair.value = int(every_pair)
        dut.begins.value = int(begins)
        set_value(dut.pairings, pairings)
        before = 0 if begins else int(dut.loss.value)
        await self.bench.start()
        began, worked = self.bench.cycle, 0
        while True:
            await self.bench.cycles()
            worked += int(dut.busy.value)
            if dut.run__done.value:
                break
            assert self.bench.cycle - began < 60_000, "the pass does not end"
        cycles = self.bench.cycle - began

        total = before + tokens.pass_over(moved, every_pair=every_pair)
        content = self.memory.read(ADDRESS["ENTRIES"], 16 * tokens.sizes.tokens)
        for token, (found, wanted) in enumerate(
            zip(from_bytes(entry(), content), tokens.entries, strict=True)
        ):
            same = ["is_dst", "full", "slot"]
            if not wanted["is_dst"] and not wanted["full"]:
                same += ["loss", "joined", "bound"]
            for name in same:
                assert found[name] == wanted[name], f"{name} of token {token}"
        assert int(dut.loss.value) == total
        if moved is None:
            (history,) = from_bytes(
                HISTORY_WORD_BITS, self.memory.read(ADDRESS["HISTORY"] + 8 * pairings, 8)
            )
            assert history == total
        await self.bench.cycles()
        return cycles, worked


def sizes_of(config: EngineConfig) -> list[Sizes]:
    """Edge sizes, then some of every shape."""
    lanes, beat = config.channel_lanes, config.levels_per_beat
    edges = [
        (2, 1, 1),
        (9, 1, 8),
        (9, lanes + 1, 1),
        (20, config.max_channels, 5),
        (2 * config.resident_src + 3, beat - 1, 3),
        (40, lanes, 31),
        (config.max_tokens, 2 * lanes, config.max_tokens // 4),
    ]
    return [
        Sizes(config, n, d, m)
        for n, d, m in edges
        if d <= config.max_channels and n <= min(config.max_tokens, 200)
    ]


@cocotb.test()
async def exact_with_stalls(dut: object) -> None:
    """Every size: a whole pairing, then incremental ones and plain ones, with stalls everywhere."""
    rig = PairingBench(dut, stall=0.3, latency=30)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        tokens = Tokens(sizes, seed, levels=2 if seed % 2 else 16)
        await rig.run(tokens)
        tokens.check_nearest()
        for number, share in enumerate((0.5, 0.1, 1.0)):
            moved = tokens.move(share)
            if number == 1:
                await rig.run(tokens, every_pair=True, pairings=number)
            else:
                await rig.run(tokens, moved)
                await rig.run(tokens, begins=False, pairings=number)
            tokens.check_nearest()


@cocotb.test()
async def busy_without_stalls(dut: object) -> None:
    """While a src tile is compared the DAU never waits, where a dst tile covers memory's answer."""
    rig = PairingBench(dut)
    await rig.bench.reset()
    config = rig.config
    num_src = min(config.max_tokens - config.max_dst, 2 * config.resident_src)
    sizes = Sizes(config, num_src + config.max_dst, config.max_channels, config.max_dst)
    if sizes.tokens > 300:
        sizes = Sizes(config, num_src + 128, 128, 128)
    tokens = Tokens(sizes, 5, 16)
    busy = Watch(rig.bench, "busy")
    cycles, worked = await rig.run(tokens)
    tiles = -(-sizes.num_dst // config.dst_lanes)
    groups = -(-num_src // config.src_lanes)
    per_pass = max(sizes.chunks, Pairing.pass_cycles(config))
    assert worked == tiles * groups * sizes.chunks
    src_tiles = -(-num_src // config.resident_src)
    ideal = tiles * groups * per_pass
    spent = busy.cycles[-1] - busy.cycles[0] + 1
    row = max(sizes.row_beats, sizes.chunks)
    answers = config.dst_lanes * row + LATENCY + 20
    if config.src_groups * per_pass >= answers:
        between = LATENCY + 40 + num_src * (Settle.src_cycles + row) + answers
        assert spent <= ideal + src_tiles * between
    assert cycles <= spent + 2 * LATENCY + sizes.tokens + (src_tiles + 1) * (
        config.resident_src * (row + Settle.src_cycles)
        + LeastTwo.cycles(config) + DstLoader.begin_latency + 2 * LATENCY + 40
    )  # fmt: skip


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset nothing of the run before is left."""
    rig = PairingBench(dut)
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, rig.config.max_channels, 5)
    for cycles in (40, 160, 300, 420):
        rig.load(Tokens(sizes, 1, 16))
        rig.dut.moved.value = 0
        await rig.bench.start()
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = PairingBench(dut)
        await rig.run(Tokens(sizes, cycles, 16))


@pytest.mark.parametrize("name", CONFIGS)
def test_pairing(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        Scratched(config, Pairing(config)), __name__, f"pairing_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
