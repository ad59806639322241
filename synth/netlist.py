"""The mapped netlist of a component as Verilog that can be simulated.

The cells' models come from Yosys, which reads their functions from the library by itself, so that
a simulation also tests what synth.liberty and ABC made of them. They have no delays.
"""

import tempfile
from pathlib import Path

from amaranth.lib import wiring

from hw.emit.verilog import modules_of
from synth import yosys
from synth.flow import map_design
from synth.liberty import Library
from synth.mapped import MappedDesign
from synth.mapping import Flow, write_library
from synth.memories import FROM_BLACK_BOXES


def netlist(component: wiring.Component, name: str, library: Library, flow: Flow) -> str:
    """Verilog of a mapped component, and of every cell of the library.

    Args:
        component: from hw, not yet elaborated.
        name: of its top module, whose ports are those of hw.emit.verilog.to_verilog.
        library: the cells.
        flow: how it is mapped.
    """
    modules = modules_of(component, name)
    design = map_design(modules, library, top=name, flow=flow, with_netlist=True)
    return _verilog(design) + cell_models(library)


def netlist_readers(design: MappedDesign, work: Path) -> list[str]:
    """Write the mapped modules into a folder; returns the passes that read them."""
    files = []
    for number, module in enumerate(design.modules.values()):
        (work / f"mapped{number}.il").write_text(module.netlist)
        files.append(f"read_rtlil mapped{number}.il")
    return files


def _verilog(design: MappedDesign) -> str:
    """The modules of cells, whose memories behave again."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        reading = netlist_readers(design, work)
        yosys.run([*reading, *FROM_BLACK_BOXES, "write_verilog -noattr mapped.v"], work)
        return (work / "mapped.v").read_text()


def cell_models(library: Library) -> str:
    """The library's cells as Verilog modules, without those that Yosys cannot model."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        files = write_library(work, library)
        reading = [f"read_liberty -ignore_miss_func -ignore_miss_dir {file}" for file in files]
        yosys.run([*reading, "proc", "write_verilog -noattr models.v"], work)
        return (work / "models.v").read_text()
