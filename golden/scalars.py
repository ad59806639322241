"""Scalars that people give: what means the same in another type is taken, all else refused.

Loads without torch.
"""

import operator
from numbers import Real
from typing import Any

_MOST_BITS = 64
_MOST_LETTERS = 60


def shown(value: Any) -> str:
    """A value as a refusal writes it: in one line, which is cut where it is long."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"an integer of {value.bit_length()} bits"  # Python refuses to write long ones
    text = " ".join(repr(value).split())
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def integer(name: str, value: Any) -> int:
    """An integer, NumPy's included, as Python's.

    Args:
        name: what a refusal calls it.
        value: what was given.

    Raises:
        ValueError: it is none, or takes more than 64 bits.
    """
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or isinstance(value, bool):
        raise ValueError(f"{name} is {shown(value)}; it must be an integer.")
    if found.bit_length() > _MOST_BITS:
        raise ValueError(f"{name} is {shown(found)}; it must have at most {_MOST_BITS}.")
    return found


def integers(name: str, value: Any) -> tuple[int, ...]:
    """Integers of any sequence.

    Raises:
        ValueError: it is none, or holds something else.
    """
    try:
        listed = None if isinstance(value, str | bytes | dict) else list(value)
    except TypeError:
        listed = None
    if listed is None:
        raise ValueError(f"{name} is {shown(value)}; it must be a list of integers.")
    return tuple(integer(f"an entry of {name}", each) for each in listed)


def number(name: str, value: Any) -> float:
    """A real number, NumPy's included, as Python's; an integer stays one.

    Raises:
        ValueError: it is none, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} is {shown(value)}; it must be a number.")
    if hasattr(value, "__index__"):
        return integer(name, value)
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is {shown(value)}; it must lie within float64.") from error


def flag(name: str, value: Any) -> bool:
    """True or False, NumPy's included: no string, which would count as true.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise ValueError(f"{name} is {shown(value)}; it must be True or False.")
    return bool(value)
