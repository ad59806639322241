"""The native simulator, on a design of its own: memory, registers, stalls, threads, the cache."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hw.config import PRESETS
from hw.emit.verilog import to_verilog
from software.library.errors import SetupError, SimulationError
from software.library.simulator import Simulator, build
from software.tests.library.xor_engine import BEATS, CLEAR, ERROR, LEFT, RESULT, RIGHT, XorEngine

CONFIG = PRESETS["tiny"]
BEAT = CONFIG.bus_bytes
MEMORY = 1 << 16


@pytest.fixture(scope="module")
def verilog() -> str:
    return to_verilog(XorEngine(CONFIG), "xor_engine")


@pytest.fixture(scope="module")
def library(verilog: str) -> Path:
    return build.build_library(verilog, "xor_engine", label="a test design")


def xor(simulator: Simulator, beats: int, left: int, right: int, result: int) -> bool:
    """Start a run and wait for its interrupt; whether memory then holds what it should."""
    memory = simulator.memory

    def region(start: int) -> slice:
        return slice(start, start + beats * BEAT)

    expected = memory[region(left)] ^ memory[region(right)]
    for register, value in ((LEFT, left), (RIGHT, right), (RESULT, result)):
        simulator.write_register(register, value)
    simulator.write_register(BEATS, beats)
    assert simulator.run(200_000), "no interrupt"
    simulator.write_register(CLEAR, 1)
    return bool(np.array_equal(memory[region(result)], expected))


@pytest.mark.parametrize("stall", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("latency", [0, 1, 100])
def test_memory(library: Path, latency: int, stall: float) -> None:
    with Simulator(library, MEMORY, latency=latency, stall=stall, seed=3) as simulator:
        for beats in (1, 2, 5, 333):
            read, written = simulator.beats
            assert xor(simulator, beats, 0, 8192, 16384)
            assert simulator.beats == (read + 2 * beats, written + beats)
        assert simulator.read_register(ERROR) == 0


def test_neighbouring_bytes_are_left_alone(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        before = simulator.memory.copy()
        assert xor(simulator, 9, 0, 800, 1600)
        changed = np.flatnonzero(simulator.memory != before)
        assert changed.min() >= 1600
        assert changed.max() < 1600 + 9 * BEAT


def test_latency_is_waited_for(library: Path) -> None:
    def cycles(latency: int) -> int:
        with Simulator(library, MEMORY, latency=latency) as simulator:
            begun = simulator.cycles
            xor(simulator, 1, 0, 8192, 16384)
            return simulator.cycles - begun

    # A read, then a write: each waits once.
    assert cycles(250) - cycles(50) == 2 * 200


def test_a_beat_a_cycle_and_no_more(library: Path) -> None:
    beats = 1000
    with Simulator(library, MEMORY, latency=0) as simulator:
        begun = simulator.cycles
        xor(simulator, beats, 0, 8192, 16384)
        spent = simulator.cycles - begun
    # Two beats are read for each that is written, over one channel.
    assert 2 * beats <= spent < 2.2 * beats


def test_stalls_follow_their_seed(library: Path) -> None:
    def cycles(seed: int) -> int:
        with Simulator(library, MEMORY, stall=0.5, seed=seed) as simulator:
            xor(simulator, 100, 0, 8192, 16384)
            return simulator.cycles

    assert cycles(1) == cycles(1)
    assert len({cycles(seed) for seed in range(4)}) > 1


def test_memory_starts_random(library: Path) -> None:
    with Simulator(library, MEMORY, seed=1) as one, Simulator(library, MEMORY, seed=2) as other:
        assert len(np.unique(one.memory)) == 256
        assert not np.array_equal(one.memory, other.memory)


def test_registers(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        simulator.write_register(LEFT, 0xDEADBEEF)
        simulator.write_register(RIGHT, 7)
        assert simulator.read_register(LEFT) == 0xDEADBEEF
        assert simulator.read_register(RIGHT) == 7
        for access in (lambda: simulator.read_register(0x40),
                       lambda: simulator.write_register(0x40, 1)):  # fmt: skip
            with pytest.raises(SimulationError, match="register 0x040 answered with response 2"):
                access()


def test_accesses_beyond_memory_are_bus_errors(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        before = simulator.memory.copy()
        simulator.write_register(LEFT, 0)
        simulator.write_register(RIGHT, MEMORY - BEAT)
        simulator.write_register(RESULT, MEMORY)
        simulator.write_register(BEATS, 2)
        assert simulator.run(10_000)
        assert simulator.read_register(ERROR) == 1
        assert np.array_equal(simulator.memory, before)


def test_a_broken_protocol_ends_the_run(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        simulator.write_register(LEFT, 4)  # half a beat
        simulator.write_register(BEATS, 1)
        with pytest.raises(SimulationError, match="a burst is not aligned to a beat in cycle"):
            simulator.run(10_000)


def test_no_interrupt_within_the_limit(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        begun = simulator.cycles
        assert not simulator.run(500)
        assert simulator.cycles == begun + 500


def test_a_reset_drops_what_is_under_way(library: Path) -> None:
    with Simulator(library, MEMORY) as simulator:
        simulator.write_register(BEATS, 200)
        simulator.run(150)
        simulator.reset()
        assert not simulator.run(1000)
        assert xor(simulator, 20, 0, 8192, 16384)


def test_simulators_run_side_by_side(library: Path) -> None:
    def one(seed: int) -> tuple[bool, int]:
        with Simulator(library, MEMORY, stall=0.3, seed=seed) as simulator:
            right = all(xor(simulator, 300, 0, 8192, 16384) for _ in range(20))
            return right, simulator.cycles

    alone = [one(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == alone
    assert all(right for right, _ in alone)


def test_too_much_memory_is_refused(library: Path) -> None:
    with pytest.raises(MemoryError, match="needs 9223372036854775807 bytes"):
        Simulator(library, 2**63 - 1)


def test_closing_twice_is_harmless(library: Path) -> None:
    simulator = Simulator(library, MEMORY)
    simulator.close()
    simulator.close()


def test_waveforms(verilog: str, tmp_path: Path) -> None:
    library = build.build_library(verilog, "xor_engine", waves=True, label="a test design")
    waves = tmp_path / "waves.vcd"
    with Simulator(library, MEMORY, waves=waves) as simulator:
        assert xor(simulator, 3, 0, 8192, 16384)
    text = waves.read_text()
    assert "axi__araddr" in text
    assert text.count("\n#") > 200


def test_a_library_is_built_once(library: Path, verilog: str) -> None:
    built = library.stat().st_mtime_ns
    assert build.build_library(verilog, "xor_engine") == library
    assert library.stat().st_mtime_ns == built
    assert not list(library.parent.glob(f"{library.stem}.*.partial"))


def test_the_cache_is_where_it_is_told_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(build.CACHE, str(tmp_path / "a" / "b"))
    assert build.cache_folder() == tmp_path / "a" / "b"
    monkeypatch.setenv(build.CACHE, "/proc/none")
    with pytest.raises(SetupError, match="/proc/none cannot be written to: set ORBIS_CACHE"):
        build.cache_folder()
    monkeypatch.delenv(build.CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "orbis"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    monkeypatch.chdir(tmp_path)
    assert build.cache_folder() == tmp_path / "build" / "cache"


def test_a_failed_build_leaves_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(build.CACHE, str(tmp_path))
    with pytest.raises(SetupError, match=r"verilator failed .*: see .*build\.log\.$") as refused:
        build.build_library("module broken(;", "broken")
    assert not list(tmp_path.glob("*.so"))
    log = str(refused.value).split(": see ")[1].removesuffix(".")
    assert "syntax error" in Path(log).read_text()


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(build.CACHE, str(tmp_path))
    with pytest.raises(SetupError, match=r"g\+\+, make, perl not found.*apt-get install"):
        build.build_library("module m; endmodule", "m")
    assert not list(tmp_path.iterdir())


def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has neither HOME nor an entry in the passwd file."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME", build.CACHE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


def test_the_cache_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert build.cache_folder() == tmp_path / "build" / "cache"
    monkeypatch.setenv(build.CACHE, str(tmp_path / "given"))
    assert build.cache_folder() == tmp_path / "given"


def test_no_cache_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").touch()
    with pytest.raises(SetupError, match="build/cache cannot be written to: set ORBIS_CACHE"):
        build.cache_folder()
