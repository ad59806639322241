"""Memories as modules: their shapes, how many there are, and that they do what the cells did."""

from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import BANK_BITS, LEVEL_BITS, PRESETS
from hw.emit.memories import FLIP_FLOP_WORDS, MemoryModule, MemoryShape, memories_of
from hw.emit.rtlil import to_text
from hw.emit.verilog import modules_of, write_verilog
from hw.pair.dst_rows import DstRows, ring_words
from hw.scratchpad import Scratchpad
from synth import yosys

SHAPES = (
    MemoryShape(4, 3, 2, 3),
    MemoryShape(3, 4, 2, 2),
    MemoryShape(4, 2, 1, 1),
    MemoryShape(1, 2, 1, 2),
    MemoryShape(2, 1, 2, 1),
)
"""Of few bits, so that what they do can be proven; of one word, and of a number that is odd."""
STEPS = 6
"""Cycles of the proof: every word is written and read, at once and one after the other."""

_FLAT = ("proc", "flatten", "memory")


class Storage(wiring.Component):
    """A memory of some shape."""

    def __init__(self, shape: MemoryShape):
        self._shape = shape
        address = In(shape.address_bits)
        super().__init__(
            {
                "a": address, "b": address, "r": In(1), "w": In(shape.parts), "d": In(shape.width),
                "q": Out(shape.width),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = self._shape
        m.submodules.memory = memory = Memory(shape=shape.width, depth=shape.depth, init=[])
        write, read = memory.write_port(granularity=shape.granularity), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.a), write.en.eq(self.w), write.data.eq(self.d),
            read.addr.eq(self.a if shape.ports == 1 else self.b), read.en.eq(self.r),
            self.q.eq(read.data),
        ]  # fmt: skip
        return m


def prove(shape: MemoryShape, folder: Path, old: str = "", new: str = "") -> None:
    """The memory as a cell and as a module give the same; ``old`` in the latter's text is ``new``.

    Both begin with the same content.
    """
    (folder / "cell.il").write_text(to_text(modules_of(Storage(shape), "cell")))
    text = write_verilog(Storage(shape), "module_").text
    assert old in text
    (folder / "module.v").write_text(text.replace(old, new))
    yosys.run(
        [
            "read_rtlil cell.il",
            *_FLAT,
            "design -stash before",
            "read_verilog module.v",
            "hierarchy -top module_",
            *_FLAT,
            "design -stash after",
            "design -copy-from before cell",
            "design -copy-from after module_",
            "miter -equiv -flatten -make_outputs cell module_ both",
            f"sat -verify -prove trigger 0 -seq {STEPS} -set-init-zero both",
        ],
        folder,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.suffix)
def test_a_module_does_what_the_cell_did(shape: MemoryShape, tmp_path: Path) -> None:
    prove(shape, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("read_data <= words[read_address];", "read_data <= words[write_address];"),
        ("if (read_enable)", "if (1'b1)"),
        ("words[write_address][3:2] <= write_data[3:2]", "words[write_address] <= write_data"),
    ],
)
def test_a_module_that_does_something_else_is_found(old: str, new: str, tmp_path: Path) -> None:
    """A guard on the proofs."""
    with pytest.raises(yosys.YosysError, match="proof did fail"):
        prove(MemoryShape(3, 4, 2, 2), tmp_path, old, new)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.suffix)
def test_a_shape_is_found_as_it_was_made(shape: MemoryShape) -> None:
    (top,) = modules_of(Storage(shape), "top")
    assert [memory.shape for memory in memories_of(top)] == [shape]


def test_a_macro_is_deeper_than_flip_flops_are() -> None:
    kinds = {
        depth: MemoryShape(depth, 9, 2, 9).suffix
        for depth in (FLIP_FLOP_WORDS, FLIP_FLOP_WORDS + 1)
    }
    assert kinds == {16: "regfile_16x9_1r1w", 17: "sram_17x9_1r1w"}


def test_the_scratchpads_banks_are_one_module() -> None:
    config = replace(PRESETS["tiny"], scale_group=4)
    (bank,) = write_verilog(Scratchpad(config, 2), "pad").memories
    shape = MemoryShape(config.scratch_depth, BANK_BITS, 1, LEVEL_BITS)
    assert bank == MemoryModule("pad_sram_32x64_1rw_by4", shape, config.scratch_banks)


@pytest.mark.parametrize("merge", [True, False])
def test_instances_are_counted_in_the_whole_design(merge: bool) -> None:
    config = PRESETS["tiny"]
    (bank,) = write_verilog(DstRows(config), "rows", merge=merge).memories
    assert bank.shape == MemoryShape(ring_words(config), config.chunk_bits, 2, config.chunk_bits)
    assert bank.instances == config.dst_lanes


def test_a_memory_with_a_transparent_port_is_refused() -> None:
    class Transparent(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"a": In(2), "d": In(3), "q": Out(3)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.memory = memory = Memory(shape=3, depth=4, init=[])
            write = memory.write_port()
            read = memory.read_port(transparent_for=(write,))
            m.d.comb += [write.addr.eq(self.a), write.data.eq(self.d), write.en.eq(1),
                         read.addr.eq(self.a), self.q.eq(read.data)]  # fmt: skip
            return m

    with pytest.raises(ValueError, match=r"clocked transparent.* must have one clocked read port"):
        write_verilog(Transparent(), "top")
