"""Technology scaling between 45, 28 and 7 nm, and the budget that the engine's area must keep.

Source: DeepScaleTool (Sarangi and Baas, ISCAS 2021), as factors relative to 45 nm. The instance
that they are applied to is the paper's: 470.9 mm2 for 38 of them, 2.4 % of it the engine.
"""

AREA = {45: 1.0, 28: 0.35, 7: 0.011}
"""Area of the same logic relative to 45 nm."""
DELAY = {45: 0.81, 28: 0.67, 7: 0.53}
"""Delay of the same logic; only quotients mean something."""
INSTANCE_MM2_28NM = 12.39
"""Area of one ORBIS instance (systolic array, vector unit, memory and engine) in 28 nm."""
BUDGET_SHARE = 0.024
"""Largest share of an instance that the quantisation and matching engines may take."""


def scale_area(area: float, origin: int, target: int) -> float:
    """Area of logic at node ``target`` that has ``area`` at node ``origin``, in the same unit.

    Raises:
        ValueError: a node other than 45, 28 or 7.
    """
    return area * _factor(AREA, origin, target)


def scale_delay(delay: float, origin: int, target: int) -> float:
    """Delay of logic at node ``target`` that has ``delay`` at node ``origin``; raises as above."""
    return delay * _factor(DELAY, origin, target)


def _factor(table: dict[int, float], origin: int, target: int) -> float:
    for node in (origin, target):
        if node not in table:
            raise ValueError(f"node is {node}; it must be one of {', '.join(map(str, table))}.")
    return table[target] / table[origin]


def instance_share(area_um2_28nm: float) -> float:
    """Share of one ORBIS instance that an area in 28 nm takes."""
    return area_um2_28nm / (INSTANCE_MM2_28NM * 1e6)
