"""Verilog of the modules that are memories: what a macro that takes their place must do."""

from hw.emit.memories import MemoryModule, MemoryShape

_RULES = """\
// {size}.
//
// At a rising edge of clk: a word is read where read_enable is 1, and read_data then keeps it until
// the next read; {written}.
// What a read of the word that is written in the same cycle gives is here the old word. The engine
// never uses it, nor what was not written before: a macro may give anything.
"""


def wrapper_verilog(memory: MemoryModule) -> str:
    """Verilog-2001 text of a memory's module; its ports are those of `hw.emit.memories`."""
    shape = memory.shape
    read, write = ("address", "address") if shape.ports == 1 else ("read_address", "write_address")
    ports = [
        "input clk",
        *(_vector("input", name, shape.address_bits) for name in dict.fromkeys((read, write))
          if shape.address_bits),
        "input read_enable",
        _vector("output reg", "read_data", shape.width),
        _vector("input", "write_enable", shape.parts),
        _vector("input", "write_data", shape.width),
    ]  # fmt: skip
    return "\n".join(
        [
            _RULES.format(size=_size(shape), written=_written(shape)).rstrip(),
            f"module {memory.name} (",
            ",\n".join(f"  {port}" for port in ports),
            ");",
            *(f"  {line}" for line in _body(shape, read, write)),
            "endmodule",
            "",
        ]
    )


def _vector(kind: str, name: str, width: int) -> str:
    return f"{kind} [{width - 1}:0] {name}" if width > 1 else f"{kind} {name}"


def _size(shape: MemoryShape) -> str:
    """Words, bits and ports, in words."""
    words = f"{shape.depth} word{'s' if shape.depth > 1 else ''} of {shape.width} bits"
    ports = "one port" if shape.ports == 1 else "a read port and a write port"
    return f"{words}, {ports}; {'an SRAM macro' if shape.is_macro else 'flip-flops'}"


def _written(shape: MemoryShape) -> str:
    if shape.parts == 1:
        return "a word is written where write_enable is 1"
    return f"each {shape.granularity} bits whose bit of write_enable is 1 are written"


def _body(shape: MemoryShape, read: str, write: str) -> list[str]:
    """Storage, written whole or part by part, and the register that was read."""
    stored, at_read, at_write = "words", f"words[{read}]", f"words[{write}]"
    depth = f" [0:{shape.depth - 1}]"
    if not shape.address_bits:
        stored, at_read, at_write, depth = "word", "word", "word", ""
    lines = [f"{_vector('reg', stored, shape.width)}{depth};", "always @(posedge clk) begin"]
    for part in range(shape.parts):
        enable, bits = ("", "") if shape.parts == 1 else (f"[{part}]", _bits(shape, part))
        lines += [f"  if (write_enable{enable})", f"    {at_write}{bits} <= write_data{bits};"]
    return [
        *lines,
        "end",
        "always @(posedge clk)",
        "  if (read_enable)",
        f"    read_data <= {at_read};",
    ]


def _bits(shape: MemoryShape, part: int) -> str:
    low = part * shape.granularity
    return f"[{low}]" if shape.granularity == 1 else f"[{low + shape.granularity - 1}:{low}]"
