"""What is installed: the wheel's packages, and environments of the core and of each extra alone."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement
from setuptools import find_packages

from software.library.extras import EXTRAS
from tests.tree import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = ("orbis", "golden", "hw", "synth", "system", "software")
CLI = "from software.commands.cli import main; main()"


def test_all_that_names_the_version_names_the_same() -> None:
    version = PROJECT["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    # What is not released stands above it.
    newest = re.search(r"^## (\d\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited is not None
    assert newest is not None
    assert version == cited[1] == newest[1]


def found_packages() -> list[str]:
    """The packages that a wheel holds."""
    where: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["packages"]["find"]
    packages: list[str] = find_packages(str(ROOT), exclude=where["exclude"],
                                        include=where["include"])  # fmt: skip
    return packages


def closure(requirements: list[str]) -> set[str]:
    """The distributions that some requirements bring, and theirs."""
    wanted, found = [Requirement(line) for line in requirements], set()
    while wanted:
        requirement = wanted.pop()
        extras = requirement.extras or {""}
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            continue
        key = (re.sub(r"[-_.]+", "-", requirement.name).lower(), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        for line in importlib.metadata.requires(requirement.name) or []:
            inner = Requirement(line)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in extras
            ):
                inner.marker = None
                wanted.append(inner)
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``environment(extra)``: a folder to import from, with that extra; ``""`` is the core."""
    made: dict[str, Path] = {}

    def make(extra: str) -> Path:
        if extra not in made:
            made[extra] = folder = tmp_path_factory.mktemp(f"site-{extra or 'core'}")
            project = PROJECT["project"]
            lines = project["dependencies"]
            lines = lines + (project["optional-dependencies"][extra] if extra else [])
            for name in (*closure(lines), project["name"]):
                distribution = importlib.metadata.distribution(name)
                tops = {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}
                if name == project["name"]:  # what tells its version
                    tops = {top for top in tops if top.endswith("-info")}
                for top in tops - {"__pycache__"}:
                    link = folder / top
                    if not link.exists():
                        link.symlink_to(Path(str(distribution.locate_file(top))))
            for name in SHIPPED:
                (folder / name).symlink_to(ROOT / name)
        return made[extra]

    return make


def python(site: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that sees the standard library and a folder of packages."""
    start = f"import sys; sys.path.insert(0, {str(site)!r}); {program}"
    command = [sys.executable, "-I", "-S", "-c", start, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=site)


def test_the_wheel_holds_what_users_run() -> None:
    packages = found_packages()
    assert {name.split(".")[0] for name in packages} == set(SHIPPED)
    assert not [name for name in packages if "tests" in name.split(".")]
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in SHIPPED for path in (ROOT / name).rglob("__init__.py")
    }  # fmt: skip
    left_out = {name for name in on_disk if "tests" not in name.split(".")} - set(packages)
    assert {name.split(".")[2] for name in left_out} == {"bench", "figures"}


def test_every_file_beside_the_modules_ships() -> None:
    data: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]
    for package in found_packages():
        folder = ROOT.joinpath(*package.split("."))
        patterns = [*data["*"], *data.get(package, [])]
        shipped = {path for pattern in patterns for path in folder.glob(pattern)}
        for path in folder.iterdir():
            beside = path.is_file() and path.suffix not in (".py", ".pyc")
            assert not beside or path in shipped, f"{path} is in no package-data"
        if (folder / "weights").is_dir():
            assert set((folder / "weights").iterdir()) <= shipped


def test_extras_bring_the_modules_that_they_are_asked_for() -> None:
    homes = importlib.metadata.packages_distributions()
    optional = PROJECT["project"]["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        brought = closure(optional[extra])
        for module in modules:
            names = {re.sub(r"[-_.]+", "-", name).lower() for name in homes[module]}
            assert names & brought, f"[{extra}] does not bring {module}"
    assert optional["all"] == [f"orbis[{','.join(EXTRAS)}]"]


PATCH = """
import torch
from diffusers import CogVideoXTransformer3DModel
from orbis import OrbisConfig, apply_orbis, orbis_summary
model = CogVideoXTransformer3DModel(
    num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=4, time_embed_dim=8,
    text_embed_dim=8, num_layers=1, sample_width=8, sample_height=8, sample_frames=5,
    max_text_seq_length=4, temporal_compression_ratio=4,
).eval()
apply_orbis(model, OrbisConfig(ratio=0.3, warmup_steps=1))
with torch.no_grad():
    for time in (900.0, 800.0):
        model(torch.randn(1, 2, 4, 8, 8), torch.randn(1, 4, 8), torch.tensor([time]))
print(orbis_summary(model).usage)
"""
MP4 = """
from pathlib import Path
import torch
from orbis import SetupError, write_mp4
try:
    write_mp4(Path("video.mp4"), torch.zeros(2, 3, 8, 8))
except SetupError as error:
    print(error)
"""


def test_the_core_alone_reduces_and_matches(
    environment: Callable[[str], Path], tmp_path: Path
) -> None:
    core = environment("")
    patched = python(core, f"exec({PATCH!r})")
    assert patched.returncode == 0, patched.stderr
    assert "pip install '.[video]'" in python(core, f"exec({MP4!r})").stdout
    tokens, pairs = tmp_path / "tokens.npy", tmp_path / "pairs.npz"
    np.save(tokens, np.random.default_rng(0).standard_normal((40, 20), dtype=np.float32))
    for words in (
        ["match", str(tokens), "--num-dst", "10", "--reduce", "12", "-o", str(pairs)],
        ["quantize", str(tokens), "-o", str(tmp_path / "q.npz")],
        ["plan", "--model", "cogvideox-2b"],
        ["presets"],
        ["statistics", str(tokens), "--num-dst", "10", "-o", str(tmp_path / "stats.json")],
        ["cycles"],
    ):
        ran = python(core, CLI, *words)
        assert ran.returncode == 0, f"orbis {' '.join(words)}: {ran.stderr}"
    assert set(np.load(pairs)) >= {"src", "dst"}


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["verilog", "-o", "out"], "rtl"),
        (["match", "TOKENS", "--num-dst", "2", "--reduce", "1", "-o", "p", "--backend", "rtl"],
         "rtl"),
        (["area"], "synth"),
        (["libraries", "-l", "TOKENS", "-o", "out"], "synth"),
        (["fpga"], "fpga"),
        (["match", "TOKENS", "--num-dst", "2", "--reduce", "1", "-o", "p", "--backend", "fpga:x"],
         "fpga"),
        (["video", "-o", "out"], "video"),
        (["evaluate", "-o", "out"], "study"),
        (["train"], "study,video"),
        (["tokens", "--frames", "1", "--rows", "2", "--columns", "2", "-o", "out"], "study,video"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_command_names_the_extra_that_the_core_lacks(
    environment: Callable[[str], Path], tmp_path: Path, words: list[str], extra: str
) -> None:
    tokens = tmp_path / "tokens.npy"
    np.save(tokens, np.zeros((4, 4), dtype=np.float32))
    words = [str(tokens) if word == "TOKENS" else word for word in words]
    ran = python(environment(""), CLI, *words)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.endswith(f"pip install '.[{extra}]'.\n")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("rtl", ["verilog", "--preset", "tiny", "-o", "OUT"]),
        ("synth", ["area", "--preset", "tiny", "--unit", "least_two"]),
        ("video", ["video", "--steps", "4", "-o", "OUT"]),
        ("study", ["evaluate", "--help"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_extra_alone_is_enough(
    environment: Callable[[str], Path], tmp_path: Path, extra: str, words: list[str]
) -> None:
    words = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    ran = python(environment(extra), CLI, *words)
    assert ran.returncode == 0, ran.stderr
