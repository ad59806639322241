"""The vector update unit against the golden update: winners, ties, and the cycle they appear."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch

from golden.dau import Points
from golden.qe import Quantized
from golden.update import update
from hw.config import LARGEST_LEVEL, PRESETS, EngineConfig
from hw.refine.nearest_member import NearestMember, member_word, words_per_chunk
from tb.jobs import Sizes, random_quantized, weight_words
from tb.runner import parameters, simulate
from tb.scratched import Scratched
from tb.streams import Bench, Lookup, Sink, Source

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "wide": replace(PRESETS["tiny"], channel_lanes=16, update_lanes=4),
    "demo": PRESETS["demo"],
    "demo-shared": replace(PRESETS["demo"], scale_group=16),
}


def group_words(sizes: Sizes, tokens: Quantized, members: list[int]) -> list[dict[str, Any]]:
    """The two rounds over a group, its dst first; the others come in no order."""
    config, lanes = sizes.config, sizes.config.update_lanes
    count = sizes.chunks * words_per_chunk(config)
    padded = torch.zeros(sizes.tokens, count * lanes, dtype=torch.int64)
    padded[:, : sizes.channels] = tokens.q
    rows = padded.tolist()
    return [
        {
            "q": rows[token][k * lanes : (k + 1) * lanes],
            "index": k,
            "count": len(members),
            "token": token,
            "is_dst": token == members[0],
            "scoring": scoring,
            "first": k == 0,
            "last": k == count - 1,
            "last_member": token == members[-1],
        }
        for scoring in (0, 1)
        for token in members
        for k in range(count)
    ]


class Rig:
    """The unit with its weights."""

    def __init__(self, dut: object, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.unit = NearestMember(self.config)
        self._weights = [0]
        Lookup(self.bench, "weight", self._weight)
        self.source = Source(self.bench, "word", member_word(self.config), stall=stall, seed=2)
        self.sink = Sink(self.bench, "winner", self.unit.winner.payload.shape())

    def _weight(self, chunk: int) -> int:
        return self._weights[chunk] if chunk < len(self._weights) else 0

    async def run(self, sizes: Sizes, tokens: Quantized, groups: list[list[int]]) -> None:
        """Groups one after another; each one's winner, and the cycle of it."""
        self._weights = weight_words(sizes, tokens.weight)
        # What is in no group stays alone in a slot of its own.
        alone = sorted(set(range(sizes.tokens)) - {token for group in groups for token in group})
        dst = torch.tensor([group[0] for group in groups] + alone)
        slots = torch.empty(sizes.tokens, dtype=torch.int64)
        for slot, members in enumerate([*groups, *([token] for token in alone)]):
            slots[members] = slot
        expected = update(Points(tokens), slots, dst)[: len(groups)].tolist()

        taken, sent, ends = len(self.sink.taken), len(self.source.sent), []
        for members in groups:
            words = group_words(sizes, tokens, members)
            self.source.put(words)
            sent += len(words)
            ends.append(sent - 1)
        await self.source.drain()
        await self.bench.cycles(self.unit.latency + 2)
        assert self.sink.values[taken:] == [
            {"token": winner, "is_dst": winner == members[0]}
            for members, winner in zip(groups, expected, strict=True)
        ]
        assert [cycle for cycle, _ in self.sink.taken[taken:]] == [
            self.source.sent[end][0] + self.unit.latency for end in ends
        ]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.1, 0.5, 0.8])
async def groups_one_after_another(dut: object, stall: float) -> None:
    """Groups of every size, a word every cycle and with gaps anywhere."""
    rig = Rig(dut, stall=stall)
    config = rig.config
    generator = torch.Generator().manual_seed(21)
    await rig.bench.reset()
    lanes = config.channel_lanes
    for channels, levels in [
        (1, 16),
        (lanes, 2),
        (lanes, 16),
        (lanes + 1, 16),
        (min(config.max_channels, 6 * lanes), 16),
        (2 * lanes, 1),
    ]:
        sizes = Sizes(config, min(config.max_tokens, 80), channels, 1)
        tokens = random_quantized(sizes, generator, levels=levels)
        order = torch.randperm(sizes.tokens, generator=generator).tolist()
        groups, at = [], 0
        for count in (1, 2, 3, 3, 4, 1, 7, 20):
            groups.append(order[at : at + count])
            at += count
        await rig.run(sizes, tokens, groups)


@cocotb.test()
async def scores_at_their_bounds(dut: object) -> None:
    """A group of all tokens, one of which is far from the others: the least and largest scores."""
    rig = Rig(dut)
    await rig.bench.reset()
    config = rig.config
    for count, channels in (
        (min(config.max_tokens, 64), config.max_channels),
        (config.max_tokens, config.channel_lanes),
    ):
        sizes = Sizes(config, count, channels, 1)
        weight = torch.full((channels,), (1 << config.weight_bits) - 1)
        for other in (0, LARGEST_LEVEL):
            q = torch.full((count, channels), LARGEST_LEVEL - other, dtype=torch.uint8)
            q[0] = other
            tokens = Quantized(q, weight, torch.zeros(channels), torch.arange(channels))
            await rig.run(sizes, tokens, [list(range(count))])
            assert rig.sink.values[-1] == {"token": 1, "is_dst": 0}


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset nothing of the group before is left."""
    rig = Rig(dut)
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, 2 * rig.config.channel_lanes, 1)
    tokens = random_quantized(sizes, torch.Generator().manual_seed(8))
    for cycles in (5, 40, 41, 100):
        rig.source.put(group_words(sizes, tokens, list(range(12))))
        await rig.bench.cycles(cycles)
        rig.source.queue.clear()
        rig.source.stop()
        await rig.bench.reset()
        rig = Rig(dut)
        await rig.run(sizes, tokens, [[4, 9, 1, 2], [7, 3, 5]])
    rig.source.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_nearest_member(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        # No bank of it is read and written at once.
        Scratched(config, NearestMember(config)),
        __name__,
        f"nearest_member_{name.replace('-', '_')}",
        given=config.as_dict(),
    )
