"""The driver in C of docs/run_job.c, on the simulated engine."""

import ctypes
import itertools
import subprocess
from pathlib import Path

import numpy as np
import torch

from golden.datm import match
from golden.options import MatchOptions
from hw.bus.registers import VERSION, masks, offsets
from hw.config import PRESETS
from hw.emit.maps import c_header
from hw.regions import REGIONS, JobSizes
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


OTHER_ENGINE, BAD_REGIONS = -1, -2


class Region(ctypes.Structure):
    """One of ``regions`` of ``struct orbis_job``."""

    _fields_ = (("at", ctypes.c_uint64), ("bytes", ctypes.c_uint64))


class Job(ctypes.Structure):
    """``struct orbis_job``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in
          ("tokens", "channels", "num_dst", "reduce", "seed", "epsilon_q16", "max_pairings",
           "read_ahead", "watchdog")),
        ("regions", Region * len(REGIONS)),
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
    library.orbis_reason.restype = ctypes.c_char_p
    sentences = [library.orbis_reason(mask) for name, mask in masks().items() if "STATUS" in name]
    silent = masks()["STATUS.timed_out"] | masks()["STATUS.busy"]
    sentences.append(library.orbis_reason(silent))
    # Busy and done are no reason to fail.
    assert len(set(sentences)) == len(sentences) - 1

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
        job = Job(50, 23, 12, 20, 3, options.epsilon_q16, options.max_iterations, 1, 5_000)
        for region, place in zip(job.regions, layout.places.values(), strict=True):
            region.at, region.bytes = place.address, place.size
        pairings = ctypes.c_uint32()

        def run(engine: int = config.hash) -> int:
            return int(library.orbis_run(ctypes.byref(job), engine, ctypes.byref(pairings)))

        assert run(config.hash ^ 1) == OTHER_ENGINE
        for other in (VERSION - 1, VERSION + 0x1_0000):
            replaced[offsets()["VERSION"]] = other
            assert run() == OTHER_ENGINE
        replaced.clear()
        for one, another in itertools.permutations(job.regions, 2):
            place = one.at
            for meets in (another.at, another.at + another.bytes - 1, another.at - one.bytes + 1,
                          2**64 - one.bytes + 1):  # fmt: skip
                one.at = meets
                assert run() == BAD_REGIONS
            one.at = place
        tokens_at = job.regions[0].at
        job.regions[0].at = 1 << 36
        assert run() == masks()["STATUS.bus_error"]
        job.regions[0].at = tokens_at
        assert run() == 0
        assert pairings.value == expected.iterations
        for name, column in layout.records(simulator.memory, 20).items():
            assert torch.equal(torch.from_numpy(column), getattr(expected, name)), name
        assert torch.equal(torch.from_numpy(layout.dst(simulator.memory)), expected.medoids)
        assert layout.history(simulator.memory, expected.iterations) == expected.loss_history
