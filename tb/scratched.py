"""A unit that uses the scratchpad, with one of its own: what its testbench simulates."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.config import EngineConfig
from hw.scratchpad import with_scratchpad


class Scratched(wiring.Component):
    """``unit`` with its member ``scratch`` connected; its other members are this one's."""

    def __init__(self, config: EngineConfig, unit: wiring.Component):
        self._config = config
        self._unit = unit
        members = dict(unit.signature.members.items())
        del members["scratch"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.unit = unit = self._unit
        with_scratchpad(m, self._config, unit.scratch)
        for name, member in self.signature.members.items():
            inner, outer = getattr(unit, name), getattr(self, name)
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif member.flow is wiring.Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)
        return m
