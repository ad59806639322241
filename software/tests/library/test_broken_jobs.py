"""After a job that broke off, wherever it did, the same backend's next job is right."""

from collections.abc import Callable
from typing import NoReturn

import pytest

from software.library.backends import rtl
from software.library.backends.golden import GoldenBackend
from software.library.backends.rtl import RtlBackend
from software.library.errors import SimulationError
from software.library.simulator import Simulator
from software.tests.library.test_backends import TINY, assert_equal, random_case

Breaks = Callable[[RtlBackend, pytest.MonkeyPatch], None]


def raises(error: BaseException) -> Callable[..., NoReturn]:
    def breaks_off(*_: object) -> NoReturn:
        raise error

    return breaks_off


def in_progress(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    broken.setattr(engine, "_progress", raises(ZeroDivisionError("of the caller's own")))


def in_a_run(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    def interrupted(simulator: Simulator, cycles: int) -> bool:
        run(simulator, 500)
        raise KeyboardInterrupt

    run = Simulator.run
    broken.setattr(Simulator, "run", interrupted)


def in_the_design(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Simulator, "run", raises(SimulationError("the design broke a rule.")))


def in_the_result(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    broken.setattr(rtl, "read_match", raises(KeyboardInterrupt()))


def in_identification(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    engine.close()
    broken.setattr(rtl, "identify", raises(KeyboardInterrupt()))


def in_the_build(engine: RtlBackend, broken: pytest.MonkeyPatch) -> None:
    engine.close()
    broken.setattr(rtl, "engine_library", raises(KeyboardInterrupt()))


@pytest.mark.parametrize(
    ("breaks", "error"),
    [
        (in_progress, ZeroDivisionError),
        (in_a_run, KeyboardInterrupt),
        (in_the_design, SimulationError),
        (in_the_result, KeyboardInterrupt),
        (in_identification, KeyboardInterrupt),
        (in_the_build, KeyboardInterrupt),
    ],
)
def test_the_next_job_is_right(
    breaks: Breaks, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, other = random_case(3), random_case(4)
    expected = case.run(GoldenBackend())
    monkeypatch.setattr(rtl, "_SLICE", 500)  # a job takes several runs
    engine = RtlBackend(TINY)
    assert_equal(case.run(engine), expected)
    with monkeypatch.context() as broken:
        breaks(engine, broken)
        with pytest.raises(error):
            case.run(engine)
    assert engine.simulator is None
    assert_equal(case.run(engine), expected)
    assert_equal(other.run(engine), other.run(GoldenBackend()))
    engine.close()


def test_an_engine_that_was_not_identified_runs_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a second try either."""
    engine = RtlBackend(TINY)
    monkeypatch.setattr(rtl, "identify", raises(SimulationError("it is another.")))
    for _ in range(2):
        with pytest.raises(SimulationError, match="another"):
            random_case(3).run(engine)
