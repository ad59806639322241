"""Loads what takes names of other modules, before a test replaces these names for its time.

Commands load most modules when they run. One that was first loaded in such a test would keep the
replacement, for all tests after it.
"""

from importlib import import_module

for _name in (
    "golden.datm",
    "software.library.backends.golden",
    "software.library.matchers",
    "software.demo.model_card",
    "software.demo.recording",
    "software.demo.tokens",
    "software.study.evaluation.iterations",
    "software.study.evaluation.runs",
    "software.study.evaluation.workers",
    "synth.lint",
    "synth.netlist",
):
    import_module(_name)
