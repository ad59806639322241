"""Measure speed, ``python -m software.study.bench``: tables, and JSON if asked."""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from software.library.files import check_outputs, write_json
from software.study.bench import attention, pairing, savings, simulators

_PRESETS = ("tiny", "demo")

# Of each subject: its key in the JSON file, what measures it, and what prints that.
SUBJECTS: dict[str, tuple[str, Callable[[], Any], Callable[[Any], None]]] = {
    "simulators": ("cycles_per_second", lambda: simulators.measure(_PRESETS), simulators.show),
    "pairing": ("pairing", pairing.measure_all, pairing.show),
    "savings": ("savings", savings.measure, savings.show),
    "attention": ("attention", attention.measure, attention.show),
}


def main(arguments: list[str] | None = None) -> None:
    """Measure the subjects, print their tables, and put them into the file."""
    parser = argparse.ArgumentParser(prog="python -m software.study.bench", description=__doc__)
    parser.add_argument("--only", choices=SUBJECTS, help="measure one subject")
    parser.add_argument("--json", type=Path, metavar="OUT",
                        help="put what was found into OUT, beside other subjects")  # fmt: skip
    asked = parser.parse_args(arguments)
    before: dict[str, Any] = {}
    if asked.json:
        check_outputs([asked.json])
        before = json.loads(asked.json.read_text()) if asked.json.exists() else {}
    machine = f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}"
    print(f"{machine}.")
    found: dict[str, Any] = {"machine": machine}
    for subject, (key, measure, show) in SUBJECTS.items():
        if asked.only in (None, subject):
            found[key] = measure()
            show(found[key])
    if asked.json:
        write_json(asked.json, before | found)


if __name__ == "__main__":
    main()
