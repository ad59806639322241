"""Row buffer: gathers the levels of a row, each at its position, and gives the row back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.config import BANK_BITS, EngineConfig
from hw.quantize.lanes import level_word
from hw.quantize.tables import LEVELS_PER_WORD, RowBanks


def placed_levels(config: EngineConfig) -> data.StructLayout:
    """``levels`` of L channels, their ``positions``, and whether they are the row's ``last``."""
    positions = data.ArrayLayout(config.channel_bits, config.quantize_lanes)
    return data.StructLayout({"levels": level_word(config), "positions": positions, "last": 1})


class RowBuffer(wiring.Component):
    """Puts the levels of a row into position order (docs/definition.md, 'Shared scale').

    A lane has the same positions in every row of a job. It writes its levels into a bank of its
    own, whose other places stay 0 once they are cleared, so that the row is what is 1 in any bank.

    Ports:
        ``words`` In: those of a row in a bank, constant while rows come.
        ``clear`` In pulse, before the first row of a job, which may come `clear_cycles` later.
        ``fill`` In, always-ready stream of `placed_levels`: a row, then none before ``drained``.
        ``word`` Out stream: the words of the row, in order; the first is offered `latency` cycles
        after the row's last levels came, then one a cycle.
        ``drained`` Out pulse: with the row's last word.
        ``banks`` Out `RowBanks`.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "words": In(range(config.max_channels // LEVELS_PER_WORD + 1)),
                "clear": In(1),
                "fill": In(stream.Signature(placed_levels(config), always_ready=True)),
                "word": Out(stream.Signature(BANK_BITS)),
                "drained": Out(1),
                "banks": Out(RowBanks(config)),
            }
        )

    @staticmethod
    def clear_cycles(words: int) -> int:
        """Cycles to clear a row."""
        return words + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        banks, fill, lanes = self.banks, self.fill.payload, self._config.quantize_lanes
        place_bits = exact_log2(LEVELS_PER_WORD)
        index = Signal.like(self.words)
        last = index == self.words - 1
        asked = Signal.like(index)
        clearing = Signal()
        m.d.comb += [
            asked.eq(index),
            banks.write.eq(self.fill.valid | clearing),
            banks.levels.eq(Mux(clearing, 0, fill.levels)),
            self.word.payload.eq(
                Cat(
                    Cat(banks.entry[lane][bit] for lane in range(lanes)).any()
                    for bit in range(BANK_BITS)
                )
            ),
        ]
        for lane in range(lanes):
            position = fill.positions[lane]
            m.d.comb += [
                banks.address[lane].eq(Mux(self.fill.valid, position[place_bits:], asked)),
                banks.mask[lane].eq(Mux(clearing, -1, 1 << position[:place_bits])),
            ]
        with m.FSM():
            with m.State("FILL"):
                with m.If(self.clear):
                    m.next = "CLEAR"
                with m.Elif(self.fill.valid & fill.last):
                    m.next = "DRAIN"
            with m.State("CLEAR"):
                m.d.comb += clearing.eq(1)
                m.d.sync += index.eq(index + 1)
                with m.If(last):
                    m.d.sync += index.eq(0)
                    m.next = "FILL"
            with m.State("DRAIN"):
                m.next = "OFFER"
            with m.State("OFFER"):
                # A word that is not taken is asked for again, so that it stays.
                m.d.comb += self.word.valid.eq(1)
                with m.If(self.word.ready):
                    m.d.comb += asked.eq(index + 1)
                    m.d.sync += index.eq(index + 1)
                    with m.If(last):
                        m.d.comb += self.drained.eq(1)
                        m.d.sync += index.eq(0)
                        m.next = "FILL"
        return m
