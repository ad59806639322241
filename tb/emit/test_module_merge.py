"""Module merging: what is merged, what must not be, and that no instance loses a connection."""

from dataclasses import replace

import pytest

from hw.config import PRESETS
from hw.emit.module_merge import merge_modules
from hw.emit.rtlil import Cell, parse, signal_text, split_signals, to_text
from hw.emit.verilog import modules_of
from hw.engine import DatmEngine
from hw.pair.dau import Dau

GATE = """\
attribute \\generator "Amaranth"
module \\NAME
  wire width 2 input 0 \\a
  wire width 2 input 1 \\b
  attribute \\init 2'00
  wire width 2 output 2 \\y
  cell $and $1
    parameter \\A_WIDTH 2
    connect \\A \\a
    connect \\B \\b
    connect \\Y \\y
  end
  process $2
    switch \\a [0]
      case 1'1
        assign \\y [1] 1'0
    end
  end
end
"""
# The same gate, but its inputs came as one port and an alias names their upper half.
JOINED = """\
module \\NAME
  wire width 4 input 0 \\both
  wire width 2 \\upper
  attribute \\init 2'00
  wire width 2 output 1 \\out
  cell $and $9
    parameter \\A_WIDTH 2
    connect \\A \\both [1:0]
    connect \\B \\upper
    connect \\Y \\out
  end
  process $7
    switch \\both [0]
      case 1'1
        assign \\out [1] 1'0
    end
  end
  connect \\upper \\both [3:2]
end
"""
TOP = """\
module \\top
  wire width 2 input 0 \\p
  wire width 2 input 1 \\q
  wire width 4 output 2 \\r
  cell \\one \\first
    connect \\a \\p
    connect \\b \\q
    connect \\y \\r [1:0]
  end
  cell \\two \\second
    CONNECTIONS
    connect PORT \\r [3:2]
  end
end
"""


def top(connections: str, port: str) -> str:
    return TOP.replace("CONNECTIONS", connections).replace("PORT", port)


def test_what_is_parsed_is_written_back() -> None:
    text = to_text(modules_of(Dau(PRESETS["tiny"]), "dau", merge=False))
    assert to_text(parse(text)) == text


def test_signals_are_their_bits() -> None:
    module = parse(top("connect \\a \\p", "\\y"))[0]
    bits = module.bits("{ \\r [2] 3'10x \\p \\r [1:0] }")
    assert bits == [("\\r", 0), ("\\r", 1), ("\\p", 0), ("\\p", 1), "x", "0", "1", ("\\r", 2)]
    assert module.bits(signal_text(bits)) == bits
    assert signal_text(bits[:2]) == "\\r [1:0]"
    assert signal_text(bits[4:7]) == "3'10x"
    assert split_signals("{ \\r [2] \\q } \\p [1:0]") == ("{ \\r [2] \\q }", "\\p [1:0]")


def test_what_amaranth_does_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'  sync always' is not RTLIL that Amaranth emits"):
        parse("module \\top\n  sync always\nend\n")


def test_ports_may_be_grouped_in_another_way() -> None:
    second = JOINED.replace("NAME", "two")
    # Inputs exchanged: second's a is q, its b is p.
    text = GATE.replace("NAME", "one") + second + top("connect \\both { \\p \\q }", "\\out")
    merged = merge_modules(parse(text))
    assert [module.name for module in merged] == ["\\one", "\\top"]
    first, other = merged[1].cells
    assert first.kind == other.kind == "\\one"
    assert {port: merged[1].bits(signal) for port, signal in other.connections.items()} == {
        "\\a": [("\\q", 0), ("\\q", 1)],
        "\\b": [("\\p", 0), ("\\p", 1)],
        "\\y": [("\\r", 2), ("\\r", 3)],
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("$and", "$or"),
        ("\\A_WIDTH 2", "\\A_WIDTH 1"),
        ("connect \\B \\b", "connect \\B { \\b [0] \\b [0] }"),
        ("connect \\B \\b", "connect \\B 2'11"),
        ("init 2'00", "init 2'01"),
        ("switch \\a [0]", "switch \\a [1]"),
        ("case 1'1", "case 1'0"),
        ("\\y [1] 1'0", "\\y [1] 1'1"),
        ("wire width 2 output", "wire width 2"),
        ("wire width 2 output", "wire width 2 inout"),
    ],
)
def test_modules_that_differ_are_kept_apart(old: str, new: str) -> None:
    assert old in GATE
    one, two = GATE.replace("NAME", "one"), GATE.replace("NAME", "two").replace(old, new)
    merged = merge_modules(parse(one + two + top("connect \\a \\p", "\\y")))
    assert [module.name for module in merged] == ["\\one", "\\two", "\\top"]


def test_a_net_that_only_passes_through_is_kept() -> None:
    def wire(name: str, source: str) -> str:
        return (
            f"module \\{name}\n  wire input 0 \\a\n  wire input 1 \\b\n  wire output 2 \\y\n"
            f"  connect \\y \\{source}\nend\n"
        )

    connections = "connect \\a \\p [0]\n    connect \\b \\q [0]"
    design = wire("one", "a") + wire("two", "b") + top(connections, "\\y").replace("[3:2]", "[2]")
    merged = merge_modules(parse(design))
    assert [module.name for module in merged] == ["\\one", "\\top"]
    # What stands for two passes its a on; two passed its b on, which was q.
    assert merged[1].cells[1].connections == {"\\a": "\\q [0]", "\\b": "1'0", "\\y": "\\r [2]"}


def test_parents_of_merged_modules_are_merged_in_turn() -> None:
    wrapped = [
        f"module \\{name}\n  wire input 0 \\i\n  wire output 1 \\o\n  cell \\{child} \\inside\n"
        "    connect \\a \\i\n    connect \\y \\o\n  end\nend\n"
        for name, child in (("one", "leaf_one"), ("two", "leaf_two"))
    ]
    leaves = [
        f"module \\leaf_{name}\n  wire input 0 \\a\n  wire output 1 \\y\n  cell $not $1\n"
        "    connect \\A \\a\n    connect \\Y \\y\n  end\nend\n"
        for name in ("one", "two")
    ]
    # Parents come first in the file, as in what Amaranth writes.
    merged = merge_modules(parse("".join(wrapped + leaves)))
    assert [module.name for module in merged] == ["\\one", "\\leaf_one"]


def test_equal_outputs_of_an_instance_are_both_connected() -> None:
    echo = (
        "module \\NAME\n  wire input 0 \\a\n  wire input 1 \\unread\n"
        "  wire output 2 \\x\n  wire output 3 \\y\n"
        "  cell $not $1\n    connect \\A \\a\n    connect \\Y \\x\n  end\n  connect \\y \\x\nend\n"
    )
    one, two = echo.replace("NAME", "one"), echo.replace("NAME", "two").replace("\\x", "\\z")
    second = "connect \\a \\p [0]\n    connect \\z \\r [3]"
    merged = merge_modules(parse(one + two + top(second, "\\y").replace("[3:2]", "[2]")))
    assert [module.name for module in merged] == ["\\one", "\\top"]
    connections = merged[1].cells[1].connections
    assert connections["\\a"] == "\\p [0]"
    assert connections["\\unread"] == "1'0"
    assert {connections["\\x"], connections["\\y"]} == {"\\r [3]", "\\r [2]"}


@pytest.mark.parametrize("scale_group", [1, 16])
def test_the_engine_holds_one_distance_element(scale_group: int) -> None:
    config = replace(PRESETS["demo"], scale_group=scale_group)
    modules = {module.name: module for module in modules_of(DatmEngine(config), "engine")}
    elements = [name for name in modules if "element" in name]
    assert elements == ["\\engine.datm.pairing.dau.element_0_0"]
    array = modules["\\engine.datm.pairing.dau"]
    instances = [cell for cell in array.cells if cell.kind == elements[0]]
    assert len(instances) == config.dst_lanes * config.src_lanes
    ports = {port.name for port in modules[elements[0]].ports}
    assert all(set(cell.connections) == ports for cell in instances)
    every_cell: list[Cell] = [cell for module in modules.values() for cell in module.cells]
    assert {c.kind for c in every_cell if c.kind.startswith("\\")} <= set(modules)
