"""Read share: who asks is offered to memory, and who asked gets the beats."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from formal.backlog import Backlog
from formal.proof import Proof
from formal.streams import keeps_its_offer
from hw.bus.client import ReadClient
from hw.bus.read_share import ReadShare
from hw.config import PRESETS

_CONFIG = replace(PRESETS["tiny"], address_bits=16)
_CLIENTS, _DEPTH, _MOST_BEATS = 3, 4, 3


class _Properties(wiring.Component):
    """Memory answers what was asked for in an earlier cycle, and nothing else."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, _CLIENTS, _DEPTH)
        client = ReadClient(_CONFIG)
        super().__init__(
            {
                "client": In(client).array(_CLIENTS),
                "port": In(client.flip()),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        port = unit.port
        wiring.connect(m, port, wiring.flipped(self.port))
        clients = [unit.client[number] for number in range(_CLIENTS)]
        keeps_its_offer(m, port.request, Assert)
        keeps_its_offer(m, port.beat, Assume)
        for number, client in enumerate(clients):
            wiring.connect(m, wiring.flipped(self.client[number]), client)
            keeps_its_offer(m, client.request, Assume)
            keeps_its_offer(m, client.beat, Assert)
            beats = client.request.payload.beats
            m.d.comb += Assume((beats >= 1) & (beats <= _MOST_BEATS))

        backlog = Backlog(
            m,
            data.StructLayout({"client": range(_CLIENTS), "beats": range(_MOST_BEATS + 1)}),
            _DEPTH,
        )
        first, taken = backlog.first, port.beat.valid & port.beat.ready
        self._grants(m, clients, backlog)
        offered = Cat(client.beat.valid for client in clients)
        waited = Signal()
        waits = backlog.some & port.beat.valid & ~offered.any()
        m.d.sync += waited.eq(waits)
        m.d.comb += [
            Assume(~port.beat.valid | backlog.some),
            Assert(~(waits & waited)),
            Assert(taken == Cat(each.beat.valid & each.beat.ready for each in clients).any()),
        ]
        for number, client in enumerate(clients):
            with m.If(client.beat.valid):
                m.d.comb += [
                    Assert(port.beat.valid & backlog.some & (first.client == number)),
                    Assert(client.beat.payload == port.beat.payload),
                ]
        comes, rest = Signal.like(first), Signal.like(first)
        m.d.comb += [
            comes.beats.eq(port.request.payload.beats),
            rest.client.eq(first.client),
            rest.beats.eq(first.beats - taken),
        ]
        for number, client in enumerate(clients):
            with m.If(client.request.ready & client.request.valid):
                m.d.comb += comes.client.eq(number)
        backlog.follow(
            port.request.valid & port.request.ready, comes, taken & (first.beats == 1), rest
        )
        m.d.comb += self.reached.eq(
            Cat(
                backlog.count == _DEPTH,
                port.request.valid & ~port.request.ready,
                taken & (first.beats == 1) & (backlog.count == 1),
            )
        )
        return m

    def _grants(self, m: Module, clients: list[Any], backlog: Backlog) -> None:
        """Which client's request memory is offered."""
        asked = self._unit.port.request
        asks = Cat(client.request.valid for client in clients)
        lowest, held, due = Signal(_CLIENTS), Signal(_CLIENTS), Signal(_CLIENTS)
        m.d.comb += [lowest.eq(asks & (~asks + 1)), due.eq(Mux(held.any(), held, lowest))]
        m.d.sync += held.eq(Mux(asked.valid & ~asked.ready, due, 0))
        m.d.comb += [
            Assert(~asked.valid | asks.any()),
            Assert(asked.valid | ~asks.any() | (backlog.count >= _DEPTH - 1)),
        ]
        for number, client in enumerate(clients):
            taken = client.request.valid & client.request.ready
            m.d.comb += Assert(taken == (due[number] & asked.valid & asked.ready))
            with m.If(due[number] & asked.valid):
                m.d.comb += Assert(asked.payload == client.request.payload)


PROOF = Proof(
    ReadShare,
    f"{_CLIENTS} clients, requests of 1 to {_MOST_BEATS} beats: memory is offered one client's"
    " request until it takes it, the lowest one's that asks (which can keep higher ones waiting),"
    f" as long as fewer than {_DEPTH - 1} have beats to come; each beat goes to who asked for it,"
    " in the order of the requests, at most a cycle late; offers stay",
    _Properties,
    (
        ("m.d.comb += chosen.eq(kept)", "m.d.comb += chosen.eq(0)"),
        ("reversed(list(enumerate(clients)))", "list(enumerate(clients))"),
        ("held.eq(asked.valid & ~asked.ready)", "held.eq(asked.valid)"),
        ("asked.ready & queue.i.ready", "asked.ready"),
        ("client.request.valid & queue.i.ready", "client.request.valid"),
        ("client.request.valid & asked.ready", "client.request.valid"),
        ("owner.beats - 1", "owner.beats"),
        ("Mux(last, 0, taken + 1)", "taken + 1"),
        ("queue.i.payload.client.eq(chosen)", "queue.i.payload.client.eq(kept)"),
        ("beat & last", "last"),
        ("queue.o.valid & ready", "ready"),
        ("& (owner.client == index)", ""),
    ),
    (
        "as many requests as find a place", "memory takes a request later than it is offered",
        "the last beat of all",
    ),
    slow=True,
)  # fmt: skip
