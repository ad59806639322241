"""Says outright what Verilog's rules would imply, so that its readers, and other tools, need not.

Amaranth's RTLIL leaves much to rules that Verilog has too: an operand is extended to the width of
the expression, a result is cut to that of its target, of the branches that match the first holds. A
reader of the text may trip over each, and linters warn of it. This changes no meaning.
"""

from collections.abc import Iterator

from hw.emit.rtlil import Bit, Cell, Process, RtlilModule, signal_text, split_signals

_ARITHMETIC = {"$add", "$sub", "$mul", "$and", "$or", "$xor", "$neg", "$not", "$pos"}
"""Operands as wide as the result."""
_COMPARISONS = {"$eq", "$ne", "$lt", "$le", "$gt", "$ge"}
"""Operands as wide as the wider of them."""
_LEFT_SHIFTS = {"$shl", "$sshl"}
"""What is shifted is as wide as the result."""
_RIGHT_SHIFTS = {"$shr", "$sshr", "$shift"}
"""The result is as wide as what is shifted, and cut after."""


def write_plainly(module: RtlilModule) -> None:
    """Rewrite a module in place: widths, branches, and no wires that nobody reads."""
    module.items = [item for item in module.items if not _is_empty(module, item)]
    for cell in module.cells:
        _widen(module, cell)
    for item in module.items:
        if isinstance(item, Process):
            item.text = _branches(module, item.text)
    _drop_unread(module)


def _is_empty(module: RtlilModule, item: object) -> bool:
    """Whether it is a cell whose result has no bits."""
    result = item.connections.get("\\Y") if isinstance(item, Cell) else None
    return result is not None and not module.bits(result)


def _widen(module: RtlilModule, cell: Cell) -> None:
    """Make the operands and the result of a cell as wide as its operation is."""
    operands = [port for port in ("\\A", "\\B") if port in cell.connections]
    widths = {port: len(module.bits(cell.connections[port])) for port in cell.connections}
    if cell.kind in _ARITHMETIC:
        wanted = dict.fromkeys(operands, widths["\\Y"])
    elif cell.kind in _COMPARISONS:
        wanted = dict.fromkeys(operands, max(widths[port] for port in operands))
    elif cell.kind in _LEFT_SHIFTS:
        wanted = {"\\A": widths["\\Y"]}
    elif cell.kind in _RIGHT_SHIFTS:
        whole = max(widths["\\A"], widths["\\Y"])
        wanted = {"\\A": whole}
        if widths["\\Y"] < whole:
            _cut_result(module, cell, whole)
    else:
        return
    for port, width in wanted.items():
        bits = module.bits(cell.connections[port])
        signed = _parameter(cell, f"{port}_SIGNED") == 1
        if width != len(bits):
            cell.connections[port] = signal_text(_resized(bits, width, signed))
            _set_parameter(cell, f"{port}_WIDTH", width)


def _resized(bits: list[Bit], width: int, signed: bool) -> list[Bit]:
    filling = bits[-1] if signed and bits else "0"
    return bits[:width] + [filling] * (width - len(bits))


def _cut_result(module: RtlilModule, cell: Cell, width: int) -> None:
    """Give the result a wire of so many bits, of which the lowest are what it was."""
    result = cell.connections["\\Y"]
    whole = f"{cell.name}$whole"
    module.add_wire(whole, width)
    cell.connections["\\Y"] = whole
    _set_parameter(cell, "\\Y_WIDTH", width)
    kept = len(module.bits(result))
    module.assignments.append((result, signal_text([(whole, bit) for bit in range(kept)])))


def _parameter(cell: Cell, name: str) -> int | None:
    found = (line.split() for line in cell.parameters)
    return next((int(words[2]) for words in found if words[1] == name), None)


def _set_parameter(cell: Cell, name: str, value: int) -> None:
    cell.parameters = [
        f"    parameter {name} {value}" if line.split()[1] == name else line
        for line in cell.parameters
    ]


_Cases = list[tuple[str, list[str]]]
"""(pattern, statements) of each branch of a switch; an empty pattern matches all."""


def _branches(module: RtlilModule, lines: list[str]) -> list[str]:
    """The lines of a process, If and Elif as such, and a branch for all else in every switch."""
    head, *body, end = lines
    return [head, *_statements(module, iter(body), "    "), end]


def _statements(module: RtlilModule, lines: Iterator[str], indent: str) -> Iterator[str]:
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "switch":
            yield from _switch(module, rest, list(_cases(lines)), indent)
        else:
            yield f"{indent}{line.strip()}"


def _cases(lines: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """The branches of a switch, up to its end."""
    pattern, body, depth = "", list[str](), 0
    begun = False
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if depth == 0 and word in ("case", "end"):
            if begun:
                yield pattern, body
            if word == "end":
                return
            pattern, body, begun = rest, [], True
            continue
        depth += (word == "switch") - (word == "end")
        body.append(line)


def _switch(module: RtlilModule, signal: str, cases: _Cases, indent: str) -> Iterator[str]:
    """A switch as RTLIL.

    Amaranth writes If and Elif as a switch over all conditions, whose branches overlap: the first
    that matches holds. Here each condition has a switch of its own, in what the one before it
    leaves: Verilog's else if.
    """
    places = [_condition(pattern) for pattern, _ in cases if pattern]
    if places and None not in places:
        yield from _chain(module, module.bits(signal), cases, indent)
        return
    yield f"{indent}switch {signal}"
    for pattern, body in cases:
        yield f"{indent}  case {pattern}".rstrip()
        yield from _statements(module, iter(body), f"{indent}    ")
    if cases[-1][0]:
        yield f"{indent}  case"
    yield f"{indent}end"


def _chain(module: RtlilModule, conditions: list[Bit], cases: _Cases, indent: str) -> Iterator[str]:
    (pattern, body), *others = cases
    place = _condition(pattern)
    if place is None:
        yield from _statements(module, iter(body), indent)
        return
    yield f"{indent}switch {signal_text([conditions[place]])}"
    yield f"{indent}  case 1'1"
    yield from _statements(module, iter(body), f"{indent}    ")
    if others:
        yield f"{indent}  case"
        yield from _chain(module, conditions, others, f"{indent}    ")
    yield f"{indent}end"


def _condition(pattern: str) -> int | None:
    """The bit that must be 1 for a pattern to match, if that is all that it asks for."""
    bits = pattern.partition("'")[2][::-1]
    return bits.index("1") if bits.count("1") == 1 and set(bits) <= {"1", "-"} else None


def _drop_unread(module: RtlilModule) -> None:
    """Leave out wires of no bits, and those that are only ever assigned: fields of structures."""
    while True:
        read = set(_read_wires(module))
        kept = {
            name: wire
            for name, wire in module.wires.items()
            if wire.width and (wire.direction or name in read)
        }
        assigned = [
            (left, right)
            for left, right in module.assignments
            if all(isinstance(bit, str) or bit[0] in kept for bit in module.bits(left))
            and module.bits(left)
        ]
        if len(kept) == len(module.wires) and len(assigned) == len(module.assignments):
            return
        module.keep_wires(kept)
        module.assignments = assigned


def _read_wires(module: RtlilModule) -> Iterator[str]:
    """Names of the wires that a cell, a process or an assignment to another wire names."""
    signals = [signal for cell in module.cells for signal in cell.connections.values()]
    signals += [right for _, right in module.assignments]
    for item in module.items:
        if isinstance(item, Process):
            for line in item.text:
                word, _, rest = line.strip().partition(" ")
                if word == "assign":
                    signals += split_signals(rest)
                elif word == "switch":
                    signals.append(rest)
    for signal in signals:
        for bit in module.bits(signal):
            if not isinstance(bit, str):
                yield bit[0]
