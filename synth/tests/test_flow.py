"""The mapping flow on small designs whose cells can be counted by hand, and on real units."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import BANK_BITS, PRESETS
from hw.emit.memories import FLIP_FLOP_WORDS
from hw.emit.verilog import modules_of
from hw.pair.dau import Dau
from hw.pair.settle import Settle
from hw.refine.nearest_member import NearestMember
from hw.scratchpad import Scratchpad
from hw.words import TOKEN_FIELD
from synth.builtin import write_builtin
from synth.flow import TOP, find_unit, map_design
from synth.liberty import Library, read_library
from synth.mapped import MappedDesign
from synth.mapping import Flow
from synth.report import as_json, node_of, plot, rows, summarise
from synth.sram import Macro


@pytest.fixture(scope="module")
def builtin(tmp_path_factory: pytest.TempPathFactory) -> Library:
    path = tmp_path_factory.mktemp("library") / "built in, 45 nm.lib"  # blanks must do no harm
    write_builtin(path)
    return read_library([path])


def mapped(component: wiring.Component, library: Library, flow: Flow | None = None) -> MappedDesign:
    return map_design(modules_of(component, TOP), library, flow=flow)


class Storage(wiring.Component):
    """A memory, written at one address and read at the same or, with 2 ``ports``, at another."""

    def __init__(self, depth: int, width: int, ports: int = 1):
        self._depth, self._width, self._ports = depth, width, ports
        address, word = In(range(depth)), In(width)
        super().__init__({"a": address, "b": address, "d": word, "w": In(1), "q": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._width, depth=self._depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [write.addr.eq(self.a), write.data.eq(self.d), write.en.eq(self.w),
                     read.addr.eq(self.a if self._ports == 1 else self.b),
                     self.q.eq(read.data)]  # fmt: skip
        return m


class Chain(wiring.Component):
    """The sum of an input with itself, several times over, between two registers."""

    def __init__(self, additions: int):
        self._additions = additions
        super().__init__({"a": In(8), "y": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(8)
        m.d.sync += held.eq(self.a)
        value = held
        for _ in range(self._additions):
            value = (value + (held ^ (value << 1)))[:8]
        m.d.sync += self.y.eq(value)
        return m


def test_the_builtin_library_has_the_published_areas(builtin: Library) -> None:
    assert builtin.nand2.area == 0.798
    areas = {name: cell.area for name, cell in builtin.cells.items()}
    assert (areas["INV_X1"], areas["XOR2_X1"], areas["MUX2_X1"], areas["DFF_X1"]) == (
        0.532, 1.596, 1.862, 4.522,
    )  # fmt: skip
    assert node_of(builtin) == 45


def test_flip_flops_and_areas_are_those_of_the_cells(builtin: Library) -> None:
    design = mapped(Chain(0), builtin)
    module = design.modules["top"]
    assert module.flip_flops == design.flip_flops == 16
    assert module.cells["DFF_X1"] == 16
    assert module.area == pytest.approx(
        sum(design.library.cells[name].area * count for name, count in module.cells.items())
    )


def test_a_longer_path_takes_longer(builtin: Library) -> None:
    paths = [mapped(Chain(length), builtin).modules["top"].path for length in (1, 2, 4)]
    delays = [path.delay for path in paths if path]
    assert len(delays) == 3
    assert delays == sorted(delays)
    assert delays[2] > 2 * delays[0]
    for path in filter(None, paths):
        assert path.start.net.startswith("held")
        assert path.end.net.startswith("y")
        assert re.fullmatch(r"synth/tests/test_flow\.py:\d+", path.start.source)


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("depth", [FLIP_FLOP_WORDS, FLIP_FLOP_WORDS + 1])
def test_memories_are_flip_flops_up_to_the_rule_and_sram_beyond(
    builtin: Library, depth: int, ports: int
) -> None:
    design = mapped(Storage(depth, 5, ports), builtin)
    if depth <= FLIP_FLOP_WORDS:
        assert not design.macros
        assert design.flip_flops >= depth * 5
    else:
        assert design.macros == {Macro(depth, 5, ports): 1}
        assert design.flip_flops < 5
    assert summarise(design).sram_bits == sum(m.bits * n for m, n in design.macros.items())


def test_what_is_known_of_a_tiles_src_is_two_macros(builtin: Library) -> None:
    """Of one port each: nothing is asked for while src come."""
    config = PRESETS["demo"]
    design = mapped(Settle(config), builtin)
    assert design.macros == {
        Macro(config.resident_src, TOKEN_FIELD): 1,
        Macro(config.resident_src, config.token_bits + 2 * config.distance_bits): 1,
    }


def test_the_scratchpads_banks_are_single_port_macros(builtin: Library) -> None:
    """A bank that is written and read at one address has one port, and costs less than with two."""
    config = PRESETS["tiny"]
    design = mapped(Scratchpad(config, 2), builtin)
    assert design.macros == {Macro(config.scratch_depth, BANK_BITS): config.scratch_banks}


def test_each_distance_element_is_mapped_once_and_counted_sixteen_times(builtin: Library) -> None:
    config = replace(PRESETS["demo"], scale_group=16)
    design = mapped(Dau(config), builtin)
    assert design.instances == {"top": 1, "top.element_0_0": 16}
    element, array = design.modules["top.element_0_0"], design.modules["top"]
    assert design.area == pytest.approx(16 * element.area + array.area)
    assert design.flip_flops == 16 * element.flip_flops + array.flip_flops

    listed = rows(design)
    assert [row.module for row in listed] == ["element_0_0", "top"]
    assert listed[1].area == pytest.approx(design.area)
    assert sum(row.total for row in listed) == pytest.approx(design.area)
    assert sum(row.share for row in listed) == pytest.approx(1)
    # The prototype's element: 238 gate equivalents a lane, with one weight for 16 channels.
    lane = design.library.gate_equivalents(element.area) / config.channel_lanes
    assert 190 < lane < 320


def test_a_report_is_whole(builtin: Library, tmp_path: Path) -> None:
    design = mapped(Settle(PRESETS["demo"]), builtin)
    summary, found = summarise(design), as_json(design)
    assert summary.sram is not None
    assert summary.scaled_mm2[45] == pytest.approx((summary.logic + summary.sram) / 1e6)
    assert summary.scaled_mm2[28] == pytest.approx(0.35 * summary.scaled_mm2[45])
    # Logic and memories do not shrink alike.
    sram = sum(macro.area(7) * count for macro, count in design.macros.items())
    assert summary.scaled_mm2[7] == pytest.approx((0.011 * summary.logic + sram) / 1e6)
    assert found["summary"]["kge"] == pytest.approx(design.area / 798)
    assert [entry["count"] for entry in found["sram"]] == [1, 1]
    assert len(found["modules"]) == len(design.modules)
    plot(tmp_path / "area.png", design)
    assert (tmp_path / "area.png").read_bytes().startswith(b"\x89PNG")


def test_a_unit_is_found_by_its_path_or_the_last_part_of_it() -> None:
    modules = modules_of(Pair(), TOP)
    assert find_unit(modules, "left") == "top.left"
    assert find_unit(modules, "first") == find_unit(modules, "left.first") == "top.left.first"
    assert find_unit(modules, "top") == "top"
    with pytest.raises(
        ValueError, match=r"unit is 'gpu'; it must be one of first, left, top, unused"
    ):
        find_unit(modules, "gpu")
    numbered = [replace(module, name=module.name.replace("left.first", "left.unused$7"))
                for module in modules]  # fmt: skip
    assert find_unit(numbered, "left.unused") == "top.left.unused$7"
    with pytest.raises(ValueError, match=r"is any of left\.unused, right\.unused; name one"):
        find_unit(
            [m for m in numbered if m.name != "\\top.unused"]
            + [replace(modules[0], name="\\top.right.unused")],
            "unused",
        )


class Pair(wiring.Component):
    """Two chains, the longer one three times; what one of them computes nobody uses."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "y": Out(8), "z": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.left = left = Holder()
        m.submodules.right = right = Chain(2)
        m.submodules.unused = unused = Storage(4, 3)
        m.d.comb += [left.a.eq(self.a), right.a.eq(self.a), unused.d.eq(self.a[:3]),
                     self.y.eq(left.y), self.z.eq(right.y)]  # fmt: skip
        return m


class Holder(wiring.Component):
    """Two chains after one another."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "y": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.first = first = Chain(2)
        m.submodules.second = second = Chain(2)
        m.d.comb += [first.a.eq(self.a), second.a.eq(first.y), self.y.eq(second.y)]
        return m


def test_a_unit_is_charged_for_what_stands_inside_it_alone(builtin: Library) -> None:
    design = mapped(Pair(), builtin)
    everywhere = {row.module: row.instances for row in rows(design)}
    assert everywhere["left.first"] == 3
    alone = map_design(modules_of(Pair(), TOP), builtin, top="top.left")
    left = {row.module: row for row in rows(alone)}
    assert {name: row.instances for name, row in left.items()} == {"left": 1, "left.first": 2}
    assert sum(row.total for row in left.values()) == pytest.approx(left["left"].area)
    assert alone.area == pytest.approx(design.area_of("top.left"))
    assert sum(row.share for row in left.values()) == pytest.approx(1)
    # An instance that the mapping removed counts for nothing.
    assert design.flip_flops == 3 * 16


def test_a_memory_of_other_ports_is_refused(builtin: Library) -> None:
    class TwoReads(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"a": In(6), "b": In(6), "q": Out(8)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.memory = memory = Memory(shape=4, depth=64, init=[])
            write = memory.write_port()
            reads = [memory.read_port(), memory.read_port()]
            m.d.comb += [write.addr.eq(self.a), write.data.eq(self.b), write.en.eq(1),
                         reads[0].addr.eq(self.a), reads[1].addr.eq(self.b),
                         self.q.eq(Cat(read.data for read in reads))]  # fmt: skip
            return m

    with pytest.raises(ValueError, match=r"memrd_v2 clocked': 2.* one clocked read port"):
        mapped(TwoReads(), builtin)


@pytest.mark.parametrize("period", [0.0, -1.0, float("nan"), float("inf")])
def test_a_period_must_be_above_zero(period: float) -> None:
    with pytest.raises(ValueError, match=f"period is {period} ns; it must be above 0"):
        Flow(period)


def test_flattened_the_modules_add_up_to_nearly_the_same(builtin: Library) -> None:
    apart, flat = (
        mapped(Settle(PRESETS["demo"]), builtin, Flow(flat=flat)) for flat in (False, True)
    )
    assert set(flat.modules) == {"top"}
    assert flat.macros == apart.macros
    assert flat.area == pytest.approx(apart.area, rel=0.05)

    # A path through both chains is seen only where nothing hides it.
    apart, flat = (mapped(Holder(), builtin, Flow(flat=flat)) for flat in (False, True))
    assert flat.flip_flops == apart.flip_flops == 32
    assert flat.modules["top"].path
    assert not apart.modules["top"].path


def test_full_adders_are_fewer_cells_that_are_not_timed(builtin: Library) -> None:
    gates, adders = (
        mapped(NearestMember(PRESETS["tiny"]), builtin, Flow(full_adders=full))
        for full in (False, True)
    )
    module = adders.modules["top"]
    assert module.cells["FA_X1"] > 100
    assert adders.area < gates.area
    assert adders.flip_flops == gates.flip_flops
    assert gates.modules["top"].path
    assert module.path is None
    assert summarise(adders).untimed == 1


def test_what_was_mapped_is_kept_until_a_module_changes(builtin: Library, tmp_path: Path) -> None:
    ended: list[str] = []

    def map_again(component: wiring.Component, flow: Flow | None = None) -> MappedDesign:
        ended.clear()
        return map_design(
            modules_of(component, TOP), builtin, flow=flow, cache=tmp_path,
            ended=lambda name, number, total: ended.append(name),
        )  # fmt: skip

    first = map_again(Holder())
    assert sorted(ended) == ["top", "top.first"]
    assert map_again(Holder()) == first
    assert not ended
    # The top module is another one now, though it holds what was called first before.
    map_again(Chain(2))
    assert ended == ["top"]
    map_again(Holder(), Flow(period_ns=2))
    assert len(ended) == 2
    for kept in tmp_path.glob("*.json"):
        kept.write_text("{")  # a broken file is as good as none
    assert map_again(Holder()) == first
    assert len(ended) == 2
