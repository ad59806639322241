"""The width of a level stands in one place, and the structure takes the widths it says it does."""

import subprocess
import sys

import pytest

from software.tests.library import narrow_levels


@pytest.mark.parametrize("bits", narrow_levels.LINES)
def test_a_match_with_levels_of_another_width(bits: int) -> None:
    command = [sys.executable, "-m", narrow_levels.__name__, str(bits)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
