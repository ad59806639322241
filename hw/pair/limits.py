"""Limits: the distances beyond which a dst cannot change what is known of the src of a group."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup
from hw.blocks.pipeline import delay
from hw.config import EngineConfig
from hw.pair.least_two import LeastTwo, nearest_lookup
from hw.pair.src_rows import src_index


def bound_lookup(config: EngineConfig) -> Lookup:
    """How the bound in a src's entry is asked for."""
    return Lookup(src_index(config), config.distance_bits)


class Limits(wiring.Component):
    """Finds a limit for each of the Q src of a group: only a distance up to it matters.

    Whoever is farther than the second nearest so far is neither the nearest nor the second nearest;
    and in a pass over moved slots, whoever is farther than the bound in the src's entry changes
    neither its slot nor its bound (docs/definition.md, 'Exact savings').

    Ports:
        ``start`` In pulse: a pass of a group begins, or has ended; ``base`` In (group * Q),
            ``first`` In (no dst was merged before) and ``moved`` In, constant from the cycle after
            to the next start; ``count`` In, of the src tile's src.
        ``found`` Out `nearest_lookup`; ``bound`` Out `bound_lookup`: free for it from `wait` cycles
            after start on, when the pass before has been merged.
        ``limit`` Out, a distance a lane; ``idle`` Out, a bit a lane: it has no src; both hold while
            ``valid`` Out is 1: from `cycles` after start, but never where nothing is known, and
            not from the next start on.
    """

    def __init__(self, config: EngineConfig, wait: int):
        self._config = config
        self.wait = wait
        super().__init__(
            {
                "start": In(1),
                "base": In(src_index(config)),
                "first": In(1),
                "moved": In(1),
                "count": In(range(config.resident_src + 1)),
                "found": Out(nearest_lookup(config)),
                "bound": Out(bound_lookup(config)),
                "limit": Out(data.ArrayLayout(config.distance_bits, config.src_lanes)),
                "idle": Out(config.src_lanes),
                "valid": Out(1),
            }
        )

    @property
    def cycles(self) -> int:
        """Cycles from a start to the limits."""
        return self.wait + self._config.src_lanes + 3

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        left = Signal(range(max(self.wait, config.src_lanes) + 1))
        lane = Signal(range(config.src_lanes + 1))
        index = Signal(range(2 * len(src_index(config))))
        asking = Signal()
        waiting = Signal()
        m.d.comb += [
            index.eq(self.base + lane),
            self.found.index.eq(index),
            self.bound.index.eq(index),
        ]
        with m.If(waiting):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [waiting.eq(0), asking.eq(self.moved | ~self.first), lane.eq(0)]
        with m.If(asking):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == config.src_lanes - 1):
                m.d.sync += asking.eq(0)

        # On cycle 1 the tables answer; the lanes move up, so that lane 0 ends up lowest. What a
        # start cuts short gets no answer.
        answered = delay(m, asking & ~self.start, 1, "answered")
        last = delay(m, lane == config.src_lanes - 1, 1, "last")
        idle = delay(m, index >= self.count, 1, "idle")
        second, bound = self.found.entry.second, self.bound.entry
        bounded = self.moved & (self.first | (bound < second))
        with m.If(answered):
            m.d.sync += [
                self.limit.eq(
                    Cat(self.limit.as_value()[config.distance_bits :], Mux(bounded, bound, second))
                ),
                self.idle.eq(Cat(self.idle[1:], idle)),
                self.valid.eq(last),
            ]
        with m.If(self.start):
            m.d.sync += [waiting.eq(1), left.eq(self.wait), asking.eq(0), self.valid.eq(0)]
        return m


def merge_wait(config: EngineConfig, dau_latency: int) -> int:
    """Cycles from a pass's last chunk until its distances have been merged."""
    return dau_latency + 1 + LeastTwo.cycles(config)
