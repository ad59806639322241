"""Logic equivalence checks: they prove what is the same, and nothing that is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.lib import wiring

from hw.config import PRESETS
from hw.emit.rtlil import RtlilModule
from hw.emit.verilog import modules_of, write_verilog
from hw.engine import DatmEngine
from hw.pair.least_two import LeastTwo
from hw.pair.pairing import Pairing
from hw.pair.settle import Settle
from hw.sort.run_walk import RunWalk
from synth.builtin import builtin_library
from synth.flow import map_design, reachable
from synth.lec import EMITTED, SIMULATED, WAYS, UnprovenError, prove_emitted, prove_mapped
from synth.mapped import MappedDesign
from synth.netlist import cell_models

TINY = PRESETS["tiny"]
REPORT = json.loads((Path(__file__).parents[2] / "docs" / "lec.json").read_text())


def mapped(component: wiring.Component) -> tuple[dict[str, RtlilModule], MappedDesign]:
    modules = modules_of(component, "top")
    design = map_design(modules, builtin_library(), top="top", with_netlist=True)
    return reachable({module.name[1:]: module for module in modules}, "top"), design


def test_verilog_does_what_the_design_does_before_modules_are_merged() -> None:
    emitted = write_verilog(Pairing(TINY), "top")
    assert len(modules_of(Pairing(TINY), "top", merge=False)) > emitted.logic.count("endmodule")
    prove_emitted(Pairing(TINY), "top", emitted)


@pytest.mark.parametrize(("before", "after"), [(" + ", " - "), (" <= ", " <= ~")])
def test_verilog_that_does_something_else_is_not_proven(before: str, after: str) -> None:
    emitted = write_verilog(LeastTwo(TINY), "top")
    first = emitted.logic.index(before)
    logic = emitted.logic[:first] + after + emitted.logic[first + len(before) :]
    with pytest.raises(UnprovenError, match=r"^top: \d+ points are not proven the same$"):
        prove_emitted(LeastTwo(TINY), "top", replace(emitted, logic=logic))


def test_netlists_do_what_their_modules_do() -> None:
    sources, design = mapped(Settle(TINY))
    models = cell_models(builtin_library())
    for name in design.modules:
        assert prove_mapped(sources, design, name, models) in WAYS


def test_a_netlist_that_does_something_else_is_not_proven() -> None:
    sources, design = mapped(RunWalk(TINY))
    top = design.modules["top"]
    broken = replace(top, netlist=top.netlist.replace("cell \\NAND2_X1 ", "cell \\NOR2_X1 ", 1))
    assert broken != top
    with pytest.raises(UnprovenError, match=r"^top: \d+ points"):
        prove_mapped(
            sources, replace(design, modules={"top": broken}), "top", cell_models(builtin_library())
        )


def test_every_module_of_todays_engine_was_checked() -> None:
    modules = {module.name[1:] for module in modules_of(DatmEngine(TINY), "engine")}
    assert REPORT["ways"].keys() == {"engine.v", *modules}
    simulated = {name for name, way in REPORT["ways"].items() if way == "simulation"}
    assert simulated == {f"engine.{module}" for module in SIMULATED} <= modules
    assert set(REPORT["ways"].values()) == {EMITTED, *WAYS, "simulation"}
