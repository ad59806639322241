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
from hw.refine.nearest_member import NearestMember, member_chunk
from tb.jobs import Sizes, random_quantized, weight_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Source

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "demo": PRESETS["demo"],
}


def group_chunks(
    sizes: Sizes, tokens: Quantized, slot: int, members: list[int]
) -> list[dict[str, Any]]:
    """The two rounds over a group, its dst first; the others come in no order."""
    chunks, lanes = [], sizes.config.channel_lanes
    padded = torch.zeros(sizes.tokens, sizes.chunks * lanes, dtype=torch.int64)
    padded[:, : sizes.channels] = tokens.q
    rows = padded.tolist()
    for scoring in (0, 1):
        for token in members:
            for k in range(sizes.chunks):
                chunk = {
                    "q": rows[token][k * lanes : (k + 1) * lanes],
                    "index": k,
                    "count": len(members),
                    "slot": slot,
                    "token": token,
                    "is_dst": token == members[0],
                    "scoring": scoring,
                    "first": k == 0,
                    "last": k == sizes.chunks - 1,
                    "first_member": token == members[0],
                    "last_member": token == members[-1],
                }
                chunks.append(chunk)
    return chunks


async def check(dut: object, stall: float) -> None:
    """Groups of every size; with one weight table a run, since the groups share it."""
    config = EngineConfig(**parameters())
    generator = torch.Generator().manual_seed(21)
    bench = Bench(dut)
    weights = [0]
    Lookup(bench, "weight", lambda chunk: weights[chunk] if chunk < len(weights) else 0)
    source = Source(bench, "chunk", member_chunk(config), stall=stall, seed=2)
    sink = Sink(bench, "winner", NearestMember(config).winner.payload.shape())
    await bench.reset()
    lanes = config.channel_lanes
    cases = [(1, 16), (lanes, 2), (lanes + 1, 16), (config.max_channels, 16), (2 * lanes, 1)]
    for channels, levels in cases:
        sizes = Sizes(config, min(config.max_tokens, 80), channels, 1)
        tokens = random_quantized(sizes, generator, levels=levels)
        weights[:] = weight_words(sizes, tokens.weight)
        order = torch.randperm(sizes.tokens, generator=generator).tolist()
        counts = [1, 2, 3, 3, 4, 7, 20]
        groups, at = [], 0
        for count in counts:
            groups.append(order[at : at + count])
            at += count
        # What is in no group stays alone in a slot of its own.
        dst = torch.tensor([group[0] for group in groups] + order[at:])
        slots = torch.empty(sizes.tokens, dtype=torch.int64)
        for slot, group in enumerate(groups):
            slots[group] = slot
        slots[order[at:]] = torch.arange(len(groups), len(dst))
        expected = update(Points(tokens), slots, dst)[: len(groups)].tolist()

        taken, sent, ends = len(sink.taken), len(source.sent), []
        for slot, group in enumerate(groups):
            chunks = group_chunks(sizes, tokens, slot, group)
            source.put(chunks)
            sent += len(chunks)
            ends.append(sent - 1)
        await source.drain()
        await bench.cycles(NearestMember.latency + 2)
        assert sink.values[taken:] == [
            {"slot": slot, "old": group[0], "token": winner}
            for slot, (group, winner) in enumerate(zip(groups, expected, strict=True))
        ]
        assert [cycle for cycle, _ in sink.taken[taken:]] == [
            source.sent[end][0] + NearestMember.latency for end in ends
        ]


@cocotb.test()
async def back_to_back(dut: object) -> None:
    """A chunk every cycle, rounds and groups without a gap."""
    await check(dut, stall=0.0)


@cocotb.test()
async def scores_at_their_bounds(dut: object) -> None:
    """A group of all tokens, one of which is far from the others: the least and largest scores."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    sizes = Sizes(config, min(config.max_tokens, 64), config.max_channels, 1)
    weight = torch.full((sizes.channels,), (1 << config.weight_bits) - 1)
    words = weight_words(sizes, weight)
    Lookup(bench, "weight", lambda chunk: words[chunk] if chunk < len(words) else 0)
    source = Source(bench, "chunk", member_chunk(config))
    sink = Sink(bench, "winner", NearestMember(config).winner.payload.shape())
    await bench.reset()
    for other in (0, LARGEST_LEVEL):
        q = torch.full((sizes.tokens, sizes.channels), LARGEST_LEVEL - other, dtype=torch.uint8)
        q[0] = other
        tokens = Quantized(q, weight, torch.zeros(sizes.channels), torch.arange(sizes.channels))
        slots, dst = torch.zeros(sizes.tokens, dtype=torch.int64), torch.tensor([0])
        source.put(group_chunks(sizes, tokens, 0, list(range(sizes.tokens))))
        await source.drain()
        await bench.cycles(NearestMember.latency + 2)
        (expected,) = update(Points(tokens), slots, dst).tolist()
        assert sink.values[-1] == {"slot": 0, "old": 0, "token": expected}
        assert expected == 1


@cocotb.test()
async def with_gaps(dut: object) -> None:
    """Idle cycles anywhere."""
    await check(dut, stall=0.4)


@pytest.mark.parametrize("name", CONFIGS)
def test_nearest_member(name: str) -> None:
    config = CONFIGS[name]
    component = NearestMember(config)
    simulate(
        component, __name__, f"nearest_member_{name.replace('-', '_')}", given=config.as_dict()
    )
