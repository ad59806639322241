"""Units: the files of hw that make hardware, each with the tests and the proof that hold it."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mutants.source import Mutant, mutants_of

ROOT = Path(__file__).parents[1]
TESTS: dict[str, tuple[str, ...]] = {
    "hw/blocks/lookup.py": ("tb/test_datm.py",),
    "hw/blocks/pipeline.py": ("tb/pair/test_dau.py", "tb/pair/test_least_two.py"),
    "hw/bus/axi.py": ("tb/test_engine.py",),
    "hw/bus/axi_lite.py": (
        "tb/bus/test_axi_lite.py", "tb/bus/test_axi_lite_job.py", "tb/bus/test_axi_lite_pins.py",
    ),
    "hw/bus/client_mux.py": ("tb/test_datm.py",),
    "hw/dxe/float_add.py": ("tb/dxe/test_mac.py",),
    "hw/dxe/float_combine.py": ("tb/dxe/test_vector_lane.py", "tb/dxe/test_row_reduce.py"),
    "hw/dxe/float_function.py": ("tb/dxe/test_vector_lane.py",),
    "hw/dxe/float_max.py": ("tb/dxe/test_vector_lane.py",),
    "hw/dxe/floats.py": ("tb/dxe/test_mac.py",),
    "hw/dxe/multiply.py": ("tb/dxe/test_vector_lane.py",),
    "hw/dxe/processing_element.py": ("tb/dxe/test_systolic_array.py",),
    "hw/dxe/product.py": ("tb/dxe/test_mac.py",),
    "hw/dxe/round.py": ("tb/dxe/test_vector_lane.py", "tb/dxe/test_mac.py"),
    "hw/dxe/row_scalars.py": ("tb/dxe/test_vector_unit.py",),
    "hw/dxe/shift.py": ("tb/dxe/test_mac.py",),
    "hw/job.py": ("tb/test_datm.py",),
    "hw/pair/skew.py": ("tb/pair/test_src_rows.py", "tb/pair/test_dst_rows.py"),
    "hw/quantize/lanes.py": ("tb/quantize/test_fixed_point.py", "tb/quantize/test_qe.py"),
    "hw/quantize/scales.py": (
        "tb/quantize/test_own_scales.py", "tb/quantize/test_shared_scales.py",
    ),
    "hw/sort/chunk_sorter.py": ("tb/sort/test_topk.py",),
}  # fmt: skip
"""Tests of files that have none of their own name, or more."""
SOURCES = ("hw", "tb", "golden", "formal", "synth")
"""Folders whose files tests and proofs of units import."""


@dataclass(frozen=True)
class Unit:
    """A file of hw, its tests, and the module of its proof, if it has one."""

    file: str
    tests: tuple[str, ...]
    proof: str | None

    def mutants(self) -> list[Mutant]:
        """All mutants of the file."""
        return mutants_of(self.file, (ROOT / self.file).read_text())

    def sources(self) -> list[Path]:
        """All files that decide what its tests and its proof do, but for other programs."""
        proof = [f"{self.proof.replace('.', '/')}.py"] if self.proof else []
        return closure([self.file, *self.tests, *proof])


def units() -> list[Unit]:
    """Every file of hw that has mutants.

    Raises:
        ValueError: one has no test.
    """
    found = []
    for path in sorted((ROOT / "hw").rglob("*.py")):
        place = path.relative_to(ROOT / "hw")
        file = f"hw/{place}"
        own = Path("tb") / place.with_name(f"test_{place.name}")
        proof = Path("formal") / place
        unit = Unit(
            file,
            TESTS.get(file, (str(own),)),
            ".".join(proof.with_suffix("").parts) if (ROOT / proof).exists() else None,
        )
        if not unit.mutants():
            continue
        if missing := [test for test in unit.tests if not (ROOT / test).exists()]:
            raise ValueError(f"{file} is tested by {missing[0]}, which does not exist.")
        found.append(unit)
    return found


def closure(files: Iterable[str]) -> list[Path]:
    """Files of the project, and all that they import of `SOURCES`, and so on; sorted."""
    left, seen = [ROOT / file for file in files], set()
    while left:
        path = left.pop()
        if path not in seen:
            seen.add(path)
            left += _imported(path)
    return sorted(seen)


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    return tuple(file for name in _names(ast.parse(path.read_text())) for file in _files(name))


def _names(tree: ast.Module) -> Iterator[str]:
    # What a function imports is for what trials do not do, as tb.runner simulating cells.
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> list[Path]:
    if name.split(".")[0] not in SOURCES:
        return []
    path = ROOT.joinpath(*name.split("."))
    return [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()]
