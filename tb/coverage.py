"""Functional coverage: what the whole jobs of `tb.test_datm` have met of what is planned.

``python -m tb.coverage`` puts what its last run met into docs/coverage.json, from which the table
of docs/verification.md, 'Situations', follows.
"""

import json
from pathlib import Path
from typing import Any

from hw.phases import Phase
from tb.runner import BUILD
from tb.situations import PAIRINGS, RUNS, SIZES

FILE = "situations.json"
"""In the build folder of each simulation."""
STREAMS = {
    "read_a__request": "memory holds off a request of port A",
    "read_a__beat": "a stage holds off a beat of port A",
    "read_b__request": "memory holds off a request of port B",
    "read_b__beat": "a stage holds off a beat of port B",
    "write__request": "memory holds off a request of the write port",
    "write__beat": "memory holds off a beat of the write port",
}
"""The streams of `hw.datm.Datm`, and what it means that one waits."""
_USED: dict[Any, tuple[str, ...]] = {
    Phase.QUANTIZE: ("read_a__request", "read_a__beat", "write__request", "write__beat"),
    Phase.SORT_CHANNELS: tuple(STREAMS),
    Phase.INIT: ("read_a__request", "read_a__beat", "write__request", "write__beat"),
    Phase.PAIR_MOVED: tuple(STREAMS),
    Phase.PAIR_FULL: tuple(STREAMS),
    Phase.SORT_GROUPS: tuple(STREAMS),
    Phase.UPDATE: tuple(STREAMS),
    Phase.SORT_PAIRS: tuple(STREAMS),
    Phase.RESOLVE: tuple(STREAMS),
}
"""By phase, the streams that its stage uses."""
JSON = Path(__file__).parent.parent / "docs" / "coverage.json"


def waits(stream: str, phase: Any) -> str:
    """The name of the situation that a stream waits in a phase."""
    return f"{STREAMS[stream]} in {phase.name}"


def reset_in(phase: Any) -> str:
    """The name of the situation that a reset comes in a phase."""
    return f"a reset in {phase.name}"


def planned(*, shared_scales: bool) -> dict[str, str]:
    """Every situation that an engine is to meet, and what it means where its name does not say.

    Args:
        shared_scales: whether the engine sorts its channels.
    """
    used = [phase for phase in _USED if shared_scales or phase is not Phase.SORT_CHANNELS]
    return {
        **SIZES,
        **RUNS,
        **PAIRINGS,
        **{waits(stream, phase): "" for phase in used for stream in _USED[phase]},
        **{reset_in(phase): "" for phase in (Phase.DERIVE, *used, Phase.CONVERGE)},
    }


def main() -> None:
    """Refresh the JSON."""
    met = {
        file.parent.name.removeprefix("datm_"): json.loads(file.read_text())
        for file in sorted(BUILD.glob(f"datm_*/{FILE}"))
    }
    if not met:
        raise SystemExit("no simulation has run: pytest tb/test_datm.py")
    found = {"situations": planned(shared_scales=True), "met": met}
    JSON.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
