"""The simulator of an engine config: its Verilog, emitted once and kept, and the library of it."""

import contextlib
import hashlib
import os
from importlib.metadata import version
from pathlib import Path

from hw.config import EngineConfig
from hw.emit.toolchain import ToolError
from software.library.errors import SetupError
from software.library.simulator.build import build_library, cache_folder
from software.library.simulator.kept import keep, whole
from software.library.sources import sources_of

WAVES = "WAVES"
"""Environment variable: 1 makes simulators write waveforms."""

TOP = "orbis_engine"


def waves_wanted() -> bool:
    """Whether the environment asks for waveforms."""
    return os.environ.get(WAVES) == "1"


def engine_library(config: EngineConfig, label: str = "an engine") -> Path:
    """The library that simulates the engine of ``config``, built if it must be.

    Elaboration takes seconds, so the Verilog is kept under a digest of the generator's sources
    and the config; the library goes by the Verilog itself, so that a change of the sources that
    changes no Verilog compiles nothing.

    Raises:
        SetupError: Yosys is missing or failed, and see
            `software.library.simulator.build.build_library`.
    """
    kept = cache_folder() / f"{_source_digest(config)}.v"
    verilog = whole(kept)
    if verilog is None:
        from hw.emit.verilog import to_verilog
        from hw.engine import DatmEngine

        try:
            verilog = to_verilog(DatmEngine(config), TOP).encode()
        except ToolError as error:
            raise SetupError(f"{error}.") from error
        with contextlib.suppress(OSError):  # it costs seconds again, no more
            keep(kept, verilog)
    return build_library(verilog.decode(), TOP, waves=waves_wanted(), label=label)


def _source_digest(config: EngineConfig) -> str:
    parts = [f"{config.hash:08x}", repr(config), version("amaranth"), *sources_of("hw")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
