"""Sequencer: the order in which the stages of DATM run."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.job import DERIVE_CYCLES
from hw.phases import Phase


class Sequencer(wiring.Component):
    """Starts each stage when the one before is done.

    Quantise and init; then pair, converge, sort the tokens by group and update, until the
    convergence check says stop or an update moves no slot; then sort the pairs and resolve their
    dst. A pairing after an update has two passes: over the slots that moved, then, for the src that
    need it, over all; the first pairing, and each with ``every_pair``, has the second alone. A bad
    job ends when its sizes have been derived, one with a value that is not finite after quantise,
    one with a bad list after init.

    Ports:
        ``run`` In `Handshake`; ``phase`` Out, and ``coming`` Out: the phase of the next cycle, so
            that what it selects can be a register.
        ``bad_job`` In, from 2 cycles after start on; ``nonfinite`` In, with quantize's done;
            ``bad_list`` In, with initialize's.
        ``quantize``, ``initialize``, ``pair``, ``converge``, ``sort``, ``update``, ``resolve`` Out
            `Handshake`; the phase of each begins in the cycle after its start. ``pair`` makes both
            passes of a pairing. ``sort`` serves ``sort_channels`` In `Handshake` of the quantiser,
            sorts the tokens by group, and the pairs.
        ``paired`` Out: a pulse with the done of a pairing's last pass.
        ``stop`` In, with converge's done; ``moved`` In, with update's done: some slot moved;
            ``every_pair`` In, of the job.
    """

    def __init__(self) -> None:
        stages = (
            "quantize", "initialize", "pair", "converge", "sort", "update", "resolve",
        )  # fmt: skip
        super().__init__(
            {
                "run": In(Handshake()),
                "phase": Out(Phase),
                "coming": Out(Phase),
                "bad_job": In(1),
                "nonfinite": In(1),
                "bad_list": In(1),
                "sort_channels": In(Handshake()),
                "paired": Out(1),
                "stop": In(1),
                "moved": In(1),
                "every_pair": In(1),
                **{stage: Out(Handshake()) for stage in stages},
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        derived = Signal(range(DERIVE_CYCLES + 1))

        def enter(phase: Any, stage: wiring.PureInterface | None = None) -> None:
            m.d.comb += self.coming.eq(phase)
            if stage is not None:
                m.d.comb += stage.start.eq(1)

        m.d.comb += self.coming.eq(self.phase)
        m.d.sync += self.phase.eq(self.coming)
        with m.Switch(self.phase):
            with m.Case(Phase.IDLE):
                m.d.sync += derived.eq(0)
                with m.If(self.run.start):
                    enter(Phase.DERIVE)
            with m.Case(Phase.DERIVE):
                m.d.sync += derived.eq(derived + 1)
                with m.If(derived == DERIVE_CYCLES):
                    with m.If(self.bad_job):
                        enter(Phase.DONE)
                    with m.Else():
                        enter(Phase.QUANTIZE, self.quantize)
            with m.Case(Phase.QUANTIZE):
                with m.If(self.sort_channels.start):
                    enter(Phase.SORT_CHANNELS, self.sort)
                with m.Elif(self.quantize.done & self.nonfinite):
                    enter(Phase.DONE)
                with m.Elif(self.quantize.done):
                    enter(Phase.INIT, self.initialize)
            with m.Case(Phase.SORT_CHANNELS):
                m.d.comb += self.sort_channels.done.eq(self.sort.done)
                with m.If(self.sort.done):
                    enter(Phase.QUANTIZE)
            with m.Case(Phase.INIT):
                with m.If(self.initialize.done & self.bad_list):
                    enter(Phase.DONE)
                with m.Elif(self.initialize.done):
                    enter(Phase.PAIR_FULL, self.pair)
            with m.Case(Phase.PAIR_MOVED), m.If(self.pair.done):
                enter(Phase.PAIR_FULL, self.pair)
            with m.Case(Phase.PAIR_FULL), m.If(self.pair.done):
                m.d.comb += self.paired.eq(1)
                enter(Phase.CONVERGE, self.converge)
            with m.Case(Phase.CONVERGE):
                with m.If(self.converge.done & self.stop):
                    enter(Phase.SORT_PAIRS, self.sort)
                with m.Elif(self.converge.done):
                    enter(Phase.SORT_GROUPS, self.sort)
            with m.Case(Phase.SORT_GROUPS), m.If(self.sort.done):
                enter(Phase.UPDATE, self.update)
            with m.Case(Phase.UPDATE):
                with m.If(self.update.done & ~self.moved):
                    enter(Phase.SORT_PAIRS, self.sort)
                with m.Elif(self.update.done & self.every_pair):
                    enter(Phase.PAIR_FULL, self.pair)
                with m.Elif(self.update.done):
                    enter(Phase.PAIR_MOVED, self.pair)
            with m.Case(Phase.SORT_PAIRS), m.If(self.sort.done):
                enter(Phase.RESOLVE, self.resolve)
            with m.Case(Phase.RESOLVE), m.If(self.resolve.done):
                enter(Phase.DONE)
            with m.Case(Phase.DONE):
                m.d.comb += self.run.done.eq(1)
                enter(Phase.IDLE)
        return m
