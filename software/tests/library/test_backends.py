"""The simulated engine against the golden model, array by array, through the one interface."""

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from golden.datm import Match
from golden.options import MatchOptions
from hw.bus.registers import STAGES, VERSION, offsets
from hw.config import PRESETS
from hw.emit.verilog import to_verilog
from hw.engine import DatmEngine
from hw.regions import JobSizes
from software.commands.cli import app
from software.demo.tokens import PATH as SHIPPED_TOKENS
from software.library.backends import make_backend
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.golden import GoldenBackend
from software.library.backends.layout import Layout
from software.library.backends.rtl import RtlBackend
from software.library.errors import SimulationError
from software.library.simulator import Simulator
from software.library.simulator.build import build_library
from software.library.simulator.engine import TOP, engine_library

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,
    # Rows of 32 chunks: a pass takes longer than finding the limits by which it is abandoned.
    "deep-shared": replace(TINY, max_channels=128, scale_group=TINY.channel_lanes),
}
RANDOM_CASES = 50


@dataclass(frozen=True)
class Case:
    """One job."""

    tokens: Tensor
    num_dst: int
    reduce: int
    options: MatchOptions = MatchOptions()

    def run(self, backend: GoldenBackend | RtlBackend) -> Match:
        return backend.match(self.tokens, self.num_dst, self.reduce, self.options)


def values(shape: tuple[int, int], kind: str, generator: torch.Generator) -> Tensor:
    """Tokens of a kind."""
    normal = torch.randn(shape, generator=generator)
    if kind == "equal":
        return normal[:1].expand(shape).half()
    if kind == "few":  # ties everywhere
        return torch.randint(0, 3, shape, generator=generator).half()
    if kind == "constant channels":
        return torch.where(torch.arange(shape[1]) % 2 == 0, normal[:1], normal).half()
    if kind == "extremes":
        return (normal.sign() * 65504).half()
    if kind == "small":  # subnormals
        return (normal * 3e-7).half()
    if kind == "scales":
        return (normal * 2.0 ** torch.randint(-12, 12, shape[1:], generator=generator)).half()
    if kind == "clusters":
        centres = torch.randn((4, shape[1]), generator=generator)
        picks = torch.randint(0, 4, shape[:1], generator=generator)
        return (centres[picks] + normal / 8).half()
    return normal  # float32: rounded by the backends


KINDS = ("float32", "equal", "few", "constant channels", "extremes", "small", "scales", "clusters")


def random_case(number: int, most_channels: int = TINY.max_channels) -> Case:
    """A job drawn from its number: any size that tiny holds, K at its ends as often as between."""
    generator = torch.Generator().manual_seed(number)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    num_tokens, channels = draw(2, TINY.max_tokens), draw(1, most_channels)
    num_dst = draw(1, min(TINY.max_dst, num_tokens - 1))
    reduce = (0, num_tokens - num_dst, draw(0, num_tokens - num_dst))[draw(0, 2)]
    chosen = torch.randperm(num_tokens, generator=generator)[:num_dst].tolist()
    return Case(
        tokens=values((num_tokens, channels), KINDS[number % len(KINDS)], generator),
        num_dst=num_dst,
        reduce=reduce,
        options=MatchOptions(
            seed=draw(0, 2**32 - 1),
            init=chosen if draw(0, 1) else None,
            epsilon=(0, 66, 6554, 65535)[draw(0, 3)] / 65536,
            max_iterations=(1, 2, 20, TINY.max_pairings)[draw(0, 3)],
            spread=draw(0, 1) == 1,
        ),
    )


def edge_case(name: str) -> Case:
    """A job at an edge."""
    generator = torch.Generator().manual_seed(99)

    def tokens(num_tokens: int, channels: int, kind: str = "scales") -> Tensor:
        return values((num_tokens, channels), kind, generator)

    to_the_end = MatchOptions(epsilon=0, max_iterations=32)

    return {
        "smallest": lambda: Case(tokens(2, 1), 1, 1),
        "N = M + 1": lambda: Case(tokens(33, 16), 32, 1),
        "D = 1": lambda: Case(tokens(40, 1), 7, 20),
        "D beyond the lanes": lambda: Case(tokens(40, 5), 7, 20),
        "D beyond a beat": lambda: Case(tokens(40, 17), 7, 20),
        "one dst": lambda: Case(tokens(50, 12), 1, 30),
        "equal tokens": lambda: Case(tokens(30, 12, "equal"), 6, 24),
        "few values": lambda: Case(tokens(64, 2, "few"), 9, 40),
        "K = 0": lambda: Case(tokens(40, 20), 9, 0),
        "K = N - M": lambda: Case(tokens(40, 20), 9, 31),
        "no room left": lambda: Case(tokens(64, 32), 32, 32, to_the_end),
        "last seed": lambda: Case(tokens(40, 20), 9, 12, MatchOptions(seed=2**32 - 1)),
        "init backwards": lambda: Case(
            tokens(40, 20), 9, 12, MatchOptions(init=list(range(39, 30, -1)))
        ),
    }[name]()


EDGES = ("smallest", "N = M + 1", "D = 1", "D beyond the lanes", "D beyond a beat", "one dst",
         "equal tokens", "few values", "K = 0", "K = N - M", "no room left", "last seed",
         "init backwards")  # fmt: skip


def assert_equal(found: Match, expected: Match) -> None:
    """Every array and number that both backends give."""
    for name in ("src", "dst", "loss", "medoids"):
        array, wanted = getattr(found, name), getattr(expected, name)
        assert array.dtype == wanted.dtype == torch.int64, name
        assert torch.equal(array, wanted), name
    assert found.loss_history == expected.loss_history
    assert found.iterations == expected.iterations


@pytest.fixture(scope="module", params=CONFIGS)
def engines(request: pytest.FixtureRequest) -> Iterator[tuple[RtlBackend, RtlBackend]]:
    """An engine with an even memory, and one whose memory stalls; they stay on between jobs."""
    config = CONFIGS[request.param]
    pair = (
        RtlBackend(config, label=request.param),
        RtlBackend(config, label=request.param, stall=0.3, latency=37, seed=5),
    )
    yield pair
    for engine in pair:
        engine.close()


def check(case: Case, engines: tuple[RtlBackend, RtlBackend]) -> None:
    expected = case.run(GoldenBackend(scale_group=engines[0].config.scale_group))
    for engine in engines:
        assert_equal(case.run(engine), expected)


@pytest.mark.parametrize("number", range(RANDOM_CASES))
def test_random_cases(number: int, engines: tuple[RtlBackend, RtlBackend]) -> None:
    check(random_case(number, engines[0].config.max_channels), engines)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name: str, engines: tuple[RtlBackend, RtlBackend]) -> None:
    check(edge_case(name), engines)


def test_merged_modules_change_no_result_and_no_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = build_library(to_verilog(DatmEngine(TINY), TOP, merge=False), TOP)
    assert apart != engine_library(TINY)
    cases = [random_case(number) for number in range(10)]
    merged_engine = RtlBackend(TINY)
    merged = [case.run(merged_engine) for case in cases]
    merged_engine.close()
    monkeypatch.setattr("software.library.backends.rtl.engine_library", lambda *_, **__: apart)
    engine = RtlBackend(TINY)
    for case, expected in zip(cases, merged, strict=True):
        found = case.run(engine)
        assert_equal(found, expected)
        assert isinstance(found, ClockedMatch)
        assert isinstance(expected, ClockedMatch)
        assert found.stage_cycles == expected.stage_cycles
    engine.close()


def test_every_pair_is_only_slower() -> None:
    spared, whole = RtlBackend(TINY), RtlBackend(TINY, every_pair=True)
    case = edge_case("no room left")
    found, expected = case.run(spared), case.run(whole)
    assert_equal(found, expected)
    assert isinstance(found, ClockedMatch)
    assert isinstance(expected, ClockedMatch)
    assert found.iterations > 2
    assert found.stage_cycles["pair"] < expected.stage_cycles["pair"]
    for engine in (spared, whole):
        engine.close()


def test_random_cases_reach_everything() -> None:
    """A guard on the cases above: several pairings, all inits, K at both ends and between."""
    cases = [random_case(number) for number in range(RANDOM_CASES)]
    assert {len(case.tokens) - case.num_dst == case.reduce for case in cases} == {True, False}
    assert {case.reduce == 0 for case in cases} == {True, False}
    inits = {(case.options.init is None, case.options.spread) for case in cases}
    assert len(inits) == 4
    iterations = [case.run(GoldenBackend()).iterations for case in cases]
    assert min(iterations) == 1
    assert max(iterations) >= 4


@pytest.mark.parametrize("scale_group", [1, 16])
def test_shipped_tokens_through_the_command(tmp_path: Path, scale_group: int) -> None:
    for backend in ("golden", "rtl"):
        arguments = ["match", SHIPPED_TOKENS, "--num-dst", 128, "--reduce", 194, "--seed", 3,
                     "--scale-group", scale_group, "--backend", backend,
                     "-o", tmp_path / f"{backend}.npz"]  # fmt: skip
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
    with np.load(tmp_path / "golden.npz") as golden, np.load(tmp_path / "rtl.npz") as rtl:
        assert set(rtl) - set(golden) == {"cycles", "stage_cycles", "stages"}
        for name in golden:
            assert golden[name].dtype == rtl[name].dtype
            assert np.array_equal(golden[name], rtl[name]), name
        assert rtl["iterations"] > 1
        assert rtl["stages"].tolist() == list(STAGES)
        assert rtl["stage_cycles"].dtype == np.int64
        assert 0.9 * rtl["cycles"] < rtl["stage_cycles"].sum() < rtl["cycles"]


@pytest.mark.parametrize("name", ["D beyond the lanes", "D = 1", "no room left"])
def test_an_engine_writes_only_its_regions(name: str) -> None:
    """Regions are exactly as large as they need be: rows that fill no beat, and full ones."""
    case = edge_case(name)
    engine = RtlBackend(TINY, seed=8)
    num_tokens, channels = case.tokens.shape
    layout = Layout(JobSizes(TINY, num_tokens, channels, case.num_dst))
    assert_equal(case.run(engine), case.run(GoldenBackend()))
    assert engine.simulator is not None
    with Simulator(engine_library(TINY), layout.size, seed=8) as untouched:
        outside = np.ones(layout.size, bool)
        for place in layout.places.values():
            outside[place.address : place.address + place.size] = False
        assert outside.sum() > 4096 * len(layout.places)
        after = engine.simulator.memory
        assert np.array_equal(after[outside], untouched.memory[outside])
    engine.close()


def test_engines_run_side_by_side() -> None:
    cases = [random_case(number) for number in (5, 6)]
    expected = [case.run(GoldenBackend()) for case in cases]
    engines = [RtlBackend(TINY, seed=seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            found = pool.map(Case.run, cases, engines)
            for one, wanted in zip(found, expected, strict=True):
                assert_equal(one, wanted)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_has_a_simulation_of_its_own(how: Callable[[RtlBackend], RtlBackend]) -> None:
    case, engine = random_case(7), RtlBackend(TINY, latency=5)
    expected = case.run(engine)
    copied = how(engine)
    assert copied.simulator is None
    assert engine.simulator is not None
    assert_equal(case.run(copied), expected)
    assert_equal(case.run(engine), expected)


def test_another_config_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(TINY, fifo_beats=32)
    monkeypatch.setattr(
        "software.library.backends.rtl.engine_library",
        lambda *_: engine_library(TINY, "preset tiny"),
    )
    rule = f"register CONFIG_HASH reads {TINY.hash:#010x}; it must be {other.hash:#010x}"
    with pytest.raises(SimulationError, match=rule):
        random_case(1).run(RtlBackend(other))


@pytest.mark.parametrize("found", [VERSION - 1, VERSION + 0x1_0000])
def test_another_map_is_noticed(found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older minor version lacks something, and another major one is another map."""
    read = Simulator.read_register

    def reads(self: Simulator, offset: int) -> int:
        return found if offset == offsets()["VERSION"] else read(self, offset)

    monkeypatch.setattr(Simulator, "read_register", reads)
    with pytest.raises(SimulationError, match=rf"VERSION reads {found:#010x}; the driver was made"):
        random_case(1).run(RtlBackend(TINY))


def test_an_engine_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulator, "run", lambda self, cycles: False)
    monkeypatch.setattr(Simulator, "cycles", property(lambda self: next(ticks)))
    ticks = iter(range(0, 10**12, 10**8))
    engine = RtlBackend(TINY)
    with pytest.raises(SimulationError, match=r"not finished after \d+ cycles; STATUS reads 0x1"):
        random_case(1).run(engine)
    assert engine.simulator is None


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    case = random_case(3)
    case = replace(case, options=replace(case.options, epsilon=0))
    engine = RtlBackend(TINY, latency=20_000, progress=lambda *news: told.append(news))
    assert_equal(case.run(engine), case.run(GoldenBackend()))
    assert told == sorted(told)
    assert len(told) > 1


def test_tokens_beyond_the_format_are_refused() -> None:
    tokens = torch.full((4, 2), 7e4)
    for backend in (GoldenBackend(), RtlBackend(TINY)):
        with pytest.raises(ValueError, match=r"token 0, channel 0 is 70000\.0; .* range of fp16"):
            backend.match(tokens, 1, 1)


def test_backends_by_name() -> None:
    assert make_backend("golden", bits=None) == GoldenBackend(bits=None)
    made = make_backend("rtl", scale_group=16)
    assert isinstance(made, RtlBackend)
    assert made.config == replace(PRESETS["demo"], scale_group=16)
    assert make_backend("golden", preset="tiny") == GoldenBackend(preset="tiny")
