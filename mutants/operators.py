"""Operators: the ways in which a piece of source that makes hardware is broken.

Each gives, of a node of the syntax tree, other texts for it. An expression is written anew in
brackets, so that a neighbour of higher precedence does not take it apart.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any

Change = tuple[Any, str]
"""A node that has a place in the text, and what takes its place there."""

_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_LOGIC = {ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
_EQUALITY = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
_ORDER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_NO_VALUE = {"src_loc_at"}
"""Keywords whose numbers make no hardware."""
_DOMAINS = {"sync": "comb", "comb": "sync"}


def _bracketed(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"


def _swapped_operator(node: ast.AST, kinds: dict[Any, Any]) -> Iterator[Change]:
    if isinstance(node, ast.BinOp) and type(node.op) in kinds:
        yield node, _bracketed(ast.BinOp(node.left, kinds[type(node.op)](), node.right))


def _swapped_comparison(node: ast.AST, kinds: dict[Any, Any]) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in kinds:
        ops: list[ast.cmpop] = [kinds[type(node.ops[0])]()]
        yield node, _bracketed(ast.Compare(node.left, ops, node.comparators))


def arithmetic(node: ast.AST) -> Iterator[Change]:
    """A sum for a difference, and the other way round."""
    return _swapped_operator(node, _ARITHMETIC)


def logic(node: ast.AST) -> Iterator[Change]:
    """And for or, and the other way round."""
    return _swapped_operator(node, _LOGIC)


def equality(node: ast.AST) -> Iterator[Change]:
    """Equal for unequal, and the other way round."""
    return _swapped_comparison(node, _EQUALITY)


def order(node: ast.AST) -> Iterator[Change]:
    """A comparison that takes a tie the other way."""
    return _swapped_comparison(node, _ORDER)


def inversion(node: ast.AST) -> Iterator[Change]:
    """A value that is not inverted any more."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield node, _bracketed(node.operand)


def arms(node: ast.AST) -> Iterator[Change]:
    """The arms of a multiplexer changed for each other."""
    if _called(node) == "Mux" and isinstance(node, ast.Call) and len(node.args) == 3:
        select, one, zero = map(ast.unparse, node.args)
        yield node, f"Mux({select}, {zero}, {one})"


def constant(node: ast.AST) -> Iterator[Change]:
    """A number off by one, or 0."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        number = node.value
        others = {number + 1, max(number - 1, 0), 0} - {number}
        yield from ((node, str(other)) for other in sorted(others))


def dropped(node: ast.AST) -> Iterator[Change]:
    """An assignment, a connection or the next state left out."""
    connects = isinstance(node, ast.Expr) and _called(node.value) == "connect"
    if _called(node) == "eq":
        yield node, "()"
    elif connects or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "m.next"):
        yield node, "pass"


def condition(node: ast.AST) -> Iterator[Change]:
    """The condition of a branch negated, always true, never true."""
    if _called(node) in ("If", "Elif") and isinstance(node, ast.Call):
        (asked,) = node.args
        yield from ((asked, text) for text in (f"({ast.unparse(asked)}) == 0", "1", "0"))


def domain(node: ast.AST) -> Iterator[Change]:
    """A register in place of a wire, and the other way round."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
        target = node.target
        if target.attr in _DOMAINS and ast.unparse(target.value) == "m.d":
            yield target, f"m.d.{_DOMAINS[target.attr]}"


def slice_(node: ast.AST) -> Iterator[Change]:
    """A slice that is one shorter at an end; ends that are numbers are `constant`'s."""
    if isinstance(node, ast.Slice):
        for end, change in ((node.lower, "+ 1"), (node.upper, "- 1")):
            if end is not None and not isinstance(end, ast.Constant):
                yield end, f"({ast.unparse(end)}) {change}"


def width(node: ast.AST) -> Iterator[Change]:
    """A signal one bit narrower; widths that are numbers are `constant`'s."""
    if _called(node) != "Signal" or not isinstance(node, ast.Call) or not node.args:
        return
    (shape,) = node.args
    if _called(shape) == "range" and isinstance(shape, ast.Call):
        yield shape, f"range(({ast.unparse(shape.args[-1])}) + 1 >> 1)"
    elif not isinstance(shape, ast.Constant):
        yield shape, f"({ast.unparse(shape)}) - 1"


def init(node: ast.AST) -> Iterator[Change]:
    """A signal that starts at 1."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Signal", "Signal.like"):
        given = {keyword.arg for keyword in node.keywords}
        if not given & {"init", "reset_less"}:
            more = ", ".join([*map(ast.unparse, [*node.args, *node.keywords]), "init=1"])
            yield node, f"{ast.unparse(node.func)}({more})"


OPERATORS: dict[str, Callable[[ast.AST], Iterator[Change]]] = {
    "arithmetic": arithmetic,
    "logic": logic,
    "equality": equality,
    "order": order,
    "inversion": inversion,
    "arms": arms,
    "constant": constant,
    "dropped": dropped,
    "condition": condition,
    "domain": domain,
    "slice": slice_,
    "width": width,
    "init": init,
}


def changes(node: ast.AST) -> Iterator[tuple[str, Any, str]]:
    """(operator, node, text) of all changes to a node and what is below it.

    Docstrings, names made of f-strings, annotations and numbers that make no hardware stay.
    """
    if isinstance(node, ast.JoinedStr | ast.arguments):
        return
    if isinstance(node, ast.keyword) and node.arg in _NO_VALUE:
        return
    for name, operator in OPERATORS.items():
        yield from ((name, changed, text) for changed, text in operator(node))
    if _called(node) in ("Signal", "Memory") and isinstance(node, ast.Call):
        yield from _of_storage(node)
        return
    for field, child in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list"):
            for each in child if isinstance(child, list) else [child]:
                if isinstance(each, ast.AST):
                    yield from changes(each)


def _of_storage(call: ast.Call) -> Iterator[tuple[str, Any, str]]:
    """The changes below a call that makes a signal or a memory.

    No number of bits grows: what is wider holds the same.
    """
    shapes = [*call.args[:1], *(each for each in call.keywords if each.arg == "shape")]
    for each in (*call.args, *call.keywords):
        shape = each.value if isinstance(each, ast.keyword) else each
        bits = shape.value if each in shapes and isinstance(shape, ast.Constant) else None
        for name, changed, text in changes(each):
            if not isinstance(bits, int) or int(text) < bits:
                yield name, changed, text


def _called(node: ast.AST) -> str | None:
    """The last name of what a call calls."""
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    return getattr(function, "attr", None) or getattr(function, "id", None)
