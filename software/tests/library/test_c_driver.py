"""The driver in C of docs/run_job.c, on the simulated engine."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import torch

from golden.datm import match
from golden.options import MatchOptions
from hw.bus.registers import VERSION, offsets
from hw.config import PRESETS
from hw.emit.maps import c_header
from hw.regions import JobSizes
from software.library.backends.layout import Layout
from software.library.simulator import Simulator
from software.library.simulator.engine import engine_library

DRIVER = Path(__file__).parents[3] / "docs" / "run_job.c"
PLATFORM = """
#include <stdint.h>
uint32_t (*the_read)(uint32_t);
void (*the_write)(uint32_t, uint32_t);
void (*the_wait)(void);
uint32_t orbis_read(uint32_t offset) { return the_read(offset); }
void orbis_write(uint32_t offset, uint32_t value) { the_write(offset, value); }
void orbis_wait(void) { the_wait(); }
"""
"""The platform's side: functions that the test sets."""
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32)
WAIT = ctypes.CFUNCTYPE(None)


class Job(ctypes.Structure):
    """``struct orbis_job``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in
          ("tokens", "channels", "num_dst", "reduce", "seed", "epsilon_q16", "max_pairings")),
        *((f"{name}_at", ctypes.c_uint64) for name in
          ("tokens", "quantized", "entries", "records", "scratch", "dst", "moved", "history")),
    )  # fmt: skip


def test_a_job_of_the_driver_in_c_finds_what_the_golden_model_finds(tmp_path: Path) -> None:
    (tmp_path / "orbis_registers.h").write_text(c_header())
    (tmp_path / "platform.c").write_text(PLATFORM)
    driver = tmp_path / "driver.so"
    flags = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
    sources = (str(DRIVER), str(tmp_path / "platform.c"))
    command = ["gcc", *flags, f"-I{tmp_path}", *sources, "-o", str(driver)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(driver))

    config, options = PRESETS["tiny"], MatchOptions(seed=3)
    tokens = torch.randn((50, 23), generator=torch.Generator().manual_seed(9)).half()
    expected = match(tokens, 12, 20, options)
    layout = Layout(JobSizes(config, 50, 23, 12))
    with Simulator(engine_library(config, "tiny"), layout.size) as simulator:
        layout.put_tokens(simulator.memory, tokens.view(torch.int16).numpy().view(np.uint16))

        replaced: dict[int, int] = {}

        def read(offset: int) -> int:
            return replaced.get(offset, simulator.read_register(offset))

        def wait() -> None:
            while not simulator.run(10_000):
                pass

        functions = {
            "the_read": READ(read),
            "the_write": WRITE(simulator.write_register),
            "the_wait": WAIT(wait),
        }
        for name, function in functions.items():
            address = ctypes.cast(function, ctypes.c_void_p).value
            ctypes.c_void_p.in_dll(library, name).value = address
        places = {f"{name.lower()}_at": place.address for name, place in layout.places.items()}
        job = Job(50, 23, 12, 20, 3, options.epsilon_q16, options.max_iterations, **places)
        pairings = ctypes.c_uint32()
        assert library.orbis_run(ctypes.byref(job), config.hash ^ 1, ctypes.byref(pairings)) == -1
        for other in (VERSION - 1, VERSION + 0x1_0000):
            replaced[offsets()["VERSION"]] = other
            assert library.orbis_run(ctypes.byref(job), config.hash, ctypes.byref(pairings)) == -1
        replaced.clear()
        assert library.orbis_run(ctypes.byref(job), config.hash, ctypes.byref(pairings)) == 0
        assert pairings.value == expected.iterations
        for name, column in layout.records(simulator.memory, 20).items():
            assert torch.equal(torch.from_numpy(column), getattr(expected, name)), name
        assert torch.equal(torch.from_numpy(layout.dst(simulator.memory)), expected.medoids)
        assert layout.history(simulator.memory, expected.iterations) == expected.loss_history
