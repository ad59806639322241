"""The netlist that is simulated (tb/test_gates.py): library cells, and memories as they were."""

import re
import subprocess
from pathlib import Path

from hw.config import PRESETS
from hw.emit.toolchain import verilator_environment
from hw.pair.least_two import LeastTwo
from hw.pair.settle import Settle
from synth.builtin import builtin_library
from synth.mapping import Flow
from synth.netlist import netlist

_INSTANCE = re.compile(r"^  (\w+) \S+ \($", re.MULTILINE)


def test_a_netlist_instantiates_cells_and_keeps_memories(tmp_path: Path) -> None:
    library = builtin_library()
    text = netlist(LeastTwo(PRESETS["tiny"]), "least_two", library, Flow())
    body = text[: text.index("module AND2_X1")]
    kinds = set(_INSTANCE.findall(body))
    assert kinds
    assert kinds <= set(library.cells)
    assert "always" not in body

    source = tmp_path / "top.v"
    source.write_text(netlist(Settle(PRESETS["demo"]), "top", library, Flow()))
    assert re.search(r"reg \[\d+:0\] \S+ \[\d+:0\];", source.read_text())
    subprocess.run(
        ["verilator", "--lint-only", "-Wno-fatal", "--top-module", "top", source],
        env=verilator_environment(), check=True, capture_output=True,
    )  # fmt: skip
