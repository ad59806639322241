"""The width of a level stands in one place, and the structure takes the widths it says it does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from software.tests.library import narrow_levels


@pytest.mark.parametrize("bits", narrow_levels.LINES)
def test_a_match_with_levels_of_another_width(bits: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", narrow_levels.__name__, str(bits)]
    # Its engines are not those of the sources, by which the cache knows them.
    environment = {**os.environ, "ORBIS_CACHE": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
