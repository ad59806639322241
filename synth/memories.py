"""Which memories become SRAM macros, and how Yosys keeps its hands off them.

Memories of more than `FLIP_FLOP_WORDS` words leave the mapping as black boxes, to be counted as
macros; smaller ones become flip-flops, since a macro's periphery would cost more.
"""

from collections import Counter, defaultdict

from hw.emit.rtlil import RtlilModule
from synth.sram import Macro

FLIP_FLOP_WORDS = 16
"""Words of the deepest memory that is built of flip-flops. With an enable and a multiplexer to read
it, a bit then costs about 8 um2 in 45 nm; in a dual-port macro it costs 10 at 16 words and 8 at 21
(synth.sram)."""
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
    """The memories of a module that are macros: with a clocked read and a clocked write port.

    Where both have the same address they are one port, which reads or writes.

    Raises:
        ValueError: a memory of other ports.
    """
    ports: Counter[tuple[str, str]] = Counter()
    addresses: dict[str, set[str]] = defaultdict(set)
    for cell in module.cells:
        if cell.kind in ("$memrd_v2", "$memwr_v2"):
            settings = dict(line.split()[1:3] for line in cell.parameters)
            clocked = "clocked" if settings["\\CLK_ENABLE"] == "1" else "unclocked"
            ports[settings["\\MEMID"], f"{cell.kind} {clocked}"] += 1
            addresses[settings["\\MEMID"]].add(cell.connections["\\ADDR"])
    found = []
    for words in (line.split() for line in module.declarations):
        if words[0] != "memory":
            continue
        depth, width = (int(words[words.index(size) + 1]) for size in ("size", "width"))
        if depth <= FLIP_FLOP_WORDS:
            continue
        memory = f'"\\{words[-1]}"'
        mine = {port: count for (owner, port), count in ports.items() if owner == memory}
        if mine != {"$memrd_v2 clocked": 1, "$memwr_v2 clocked": 1}:
            raise ValueError(
                f"memory {words[-1]} of {module.name} has the ports {mine}; a macro has one clocked"
                " read port and one clocked write port."
            )
        found.append(Macro(depth, width, len(addresses[memory])))
    return tuple(found)
