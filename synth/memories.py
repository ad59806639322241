"""Which memories become SRAM macros, and how Yosys keeps its hands off them.

Which they are, hw.emit.memories says. They leave the mapping as black boxes, to be counted as
macros; the others become flip-flops.
"""

from hw.emit.memories import FLIP_FLOP_WORDS, memories_of
from hw.emit.rtlil import RtlilModule
from synth.sram import Macro

BLACK_BOX = "orbis_sram"
"""Type of the cell that stands for a macro; its ports and parameters are those of ``$mem_v2``."""
_INPUTS = (
    "RD_CLK", "RD_EN", "RD_ARST", "RD_SRST", "RD_ADDR", "WR_CLK", "WR_EN", "WR_ADDR", "WR_DATA",
)  # fmt: skip
BLACK_BOX_VERILOG = f"""\
(* blackbox, keep *)
module {BLACK_BOX} (input {", ".join(_INPUTS)}, output RD_DATA);
endmodule
"""
TO_BLACK_BOXES = (
    "memory -nomap",
    f"memory_map t:$mem_v2 r:SIZE<={FLIP_FLOP_WORDS} %i",
    f"chtype -set {BLACK_BOX} t:$mem_v2",
)
"""Passes that map the shallow memories and hide the others."""
FROM_BLACK_BOXES = (f"chtype -set $mem_v2 t:{BLACK_BOX}",)
"""Passes that make hidden memories behave again, for a netlist that is simulated."""


def macros(module: RtlilModule) -> tuple[Macro, ...]:
    """The memories of a module that are macros.

    Raises:
        ValueError: a memory of other ports than hw.emit.memories knows.
    """
    shapes = (memory.shape for memory in memories_of(module))
    return tuple(Macro(each.depth, each.width, each.ports) for each in shapes if each.is_macro)
