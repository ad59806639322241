"""Scratchpad: the one on-chip memory for rows and tables, which stages use by turns."""

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import BANK_BITS, LEVEL_BITS, EngineConfig

_LEVELS = BANK_BITS // LEVEL_BITS


class ScratchPort(wiring.Signature):
    """The scratchpad as its user sees it: a read or a write a bank a cycle.

    Members, each indexed by bank: ``address`` Out; ``write`` Out: write the levels of ``data`` Out
    whose bit in ``mask`` Out is 1, else read; ``entry`` In: what stood at the address that was read
    in the cycle before (after a write it is of no use).
    """

    def __init__(self, config: EngineConfig):
        banks = config.scratch_banks
        address_bits = max(1, (config.scratch_depth - 1).bit_length())
        super().__init__(
            {
                "address": Out(data.ArrayLayout(address_bits, banks)),
                "write": Out(banks),
                "mask": Out(data.ArrayLayout(_LEVELS, banks)),
                "data": Out(data.ArrayLayout(BANK_BITS, banks)),
                "entry": In(data.ArrayLayout(BANK_BITS, banks)),
            }
        )


class Bank(wiring.Component):
    """A single-port memory of `EngineConfig.scratch_depth` words, with a mask bit a level.

    Ports: ``address``, ``write``, ``mask``, ``data`` In and ``entry`` Out, as `ScratchPort` has
    them of each bank.
    """

    def __init__(self, config: EngineConfig):
        self._depth = config.scratch_depth
        super().__init__(
            {
                "address": In(max(1, (config.scratch_depth - 1).bit_length())),
                "write": In(1),
                "mask": In(_LEVELS),
                "data": In(BANK_BITS),
                "entry": Out(BANK_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.memory = memory = Memory(shape=BANK_BITS, depth=self._depth, init=[])
        read, write = memory.read_port(), memory.write_port(granularity=LEVEL_BITS)
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(~self.write),
            self.entry.eq(read.data),
            write.addr.eq(self.address),
            write.data.eq(self.data),
            write.en.eq(Mux(self.write, self.mask, 0)),
        ]
        return m


class Scratchpad(wiring.Component):
    """`EngineConfig.scratch_banks` single-port banks of `EngineConfig.scratch_depth` words.

    Its size is what the most demanding stage needs, since only one stage uses it at a time. A word
    of a bank has `BANK_BITS` bits, and a mask bit a level.

    Ports: ``select`` In: the user that reads and writes; ``user`` [n] In `ScratchPort`: what the
    others ask for is not done, and they see the same entries.

    An entry comes a cycle after its address. Nothing is defined of what was not written.
    """

    def __init__(self, config: EngineConfig, users: int):
        self._config = config
        self._users = users
        super().__init__(
            {
                "select": In(range(max(2, users))),  # Never 0 bits wide.
                "user": In(ScratchPort(config)).array(users),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        chosen = ScratchPort(self._config).create(path=("chosen",))
        asked = ("address", "write", "mask", "data")
        with m.Switch(self.select):
            for index in range(self._users):
                with m.Case(index):
                    m.d.comb += [
                        getattr(chosen, name).eq(getattr(self.user[index], name)) for name in asked
                    ]
        m.d.comb += [self.user[index].entry.eq(chosen.entry) for index in range(self._users)]
        for number in range(self._config.scratch_banks):
            m.submodules[f"bank_{number}"] = bank = Bank(self._config)
            m.d.comb += [
                *(getattr(bank, name).eq(getattr(chosen, name)[number]) for name in asked),
                chosen.entry[number].eq(bank.entry),
            ]
        return m


def with_scratchpad(m: Module, config: EngineConfig, user: wiring.PureInterface) -> Scratchpad:
    """Give ``user``, a `ScratchPort` member of a unit, a scratchpad of its own."""
    m.submodules.scratchpad = scratchpad = Scratchpad(config, 1)
    wiring.connect(m, user, scratchpad.user[0])
    return scratchpad
