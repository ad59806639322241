"""Files out: outputs that appear whole or never, where their paths point to."""

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _Place:
    """Where what is written for a path goes.

    Attributes:
        path: as it was given.
        target: the file that is replaced or made, links followed; None where the path leads to a
            pipe or a character device, which is written into.
        before: of what is there.
    """

    path: Path
    target: Path | None
    before: os.stat_result | None

    def begin(self) -> Path:
        """An empty file to write to: in the target's folder, or in that for temporary files.

        Raises:
            ValueError: none can be made.
        """
        folder = self.target.parent if self.target else Path(tempfile.gettempdir())
        # Of its own length: the target's name may be as long as the file system allows.
        partial = folder / f".orbis.{secrets.token_hex(6)}.partial"
        mode = 0o600 if self.before else 0o666  # nobody else reads what becomes a private file
        try:
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        except OSError as error:
            raise ValueError(f"{folder} cannot be written to: {reason(error)}.") from error
        return partial

    def put(self, partial: Path) -> None:
        """Bring a whole file to its place."""
        if self.target is None:
            with partial.open("rb") as source, self.path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            return
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        if self.before:
            with suppress(OSError):  # who may write a file may not always give it away
                os.chown(partial, self.before.st_uid, self.before.st_gid)
            partial.chmod(stat.S_IMODE(self.before.st_mode))
        partial.replace(self.target)

    def replaces(self, other: os.stat_result) -> bool:
        """Whether it is this regular file that would be replaced."""
        return bool(self.target and self.before and os.path.samestat(self.before, other))


def _place(path: Path) -> _Place:
    """Where what is written for ``path`` goes; raises as `replacing`."""
    try:
        before = path.stat()
    except FileNotFoundError:
        return _Place(path, _new(path), None)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be written to: {reason(error)}.") from error
    if stat.S_ISDIR(before.st_mode):
        raise ValueError(f"{path} is a folder; the output must be a file.")
    if stat.S_ISBLK(before.st_mode) or stat.S_ISSOCK(before.st_mode):
        raise ValueError(f"{path} is a block device or a socket; the output must be a file.")
    # Root may write to what nobody may write to; the mark is heeded all the same.
    if not before.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise ValueError(f"{path} cannot be written to: it is read-only.")
    target = Path(os.path.realpath(path))
    with suppress(OSError):
        if stat.S_ISREG(before.st_mode) and os.path.samestat(before, target.stat()):
            return _Place(path, target, before)
    # Also a file without a name, which /dev/stdout and its like may lead to.
    return _Place(path, None, before)


def _new(path: Path) -> Path:
    """The file that ``path`` will be, or that a link there leads to."""
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        return path.parent.resolve(strict=True) / path.name
    except OSError as error:
        raise ValueError(f"{path.parent} cannot be written to: {reason(error)}.") from error


def reason(error: Exception) -> str:
    """What the system says of a failure, for the end of a sentence."""
    strerror = error.strerror if isinstance(error, OSError) else None
    text = strerror or str(error) or "no reason given"
    return f"{text[:1].lower()}{text[1:]}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; on success its content takes the place of ``path``.

    Links are followed: what they lead to gets the content, also where it does not exist yet. A
    file that is replaced keeps its mode, and its owner where that may be given. What is a pipe or
    a character device is written into, once the content is whole. An error, SIGTERM in the command
    line, or a killed run leaves ``path`` as it was.

    Long work comes before it; `check_outputs` finds first what would be refused here.

    Raises:
        ValueError: the folder does not exist or cannot be written to; or ``path`` is a folder, a
            block device or a socket, or not to be written to (no write bit, whoever asks).
        OSError: writing failed; it names ``path``.
    """
    place = _place(path)
    partial = place.begin()
    try:
        yield partial
        place.put(partial)
    except OSError as error:
        if error.filename not in (None, partial, str(partial)):
            raise
        code = error.errno or errno.EIO
        raise OSError(code, error.strerror or str(error), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse, before long work, what `replacing` would, and outputs that would harm other files.

    Args:
        outputs: of one command.
        inputs: what it reads; those that do not exist are left to their readers.

    Raises:
        ValueError: as `replacing`; or an output that is an input or another output, links followed.
    """
    read = []
    for path in inputs:
        with suppress(OSError, ValueError):
            read.append((path, path.stat()))
    places: list[_Place] = []
    for path in outputs:
        place = _place(path)
        for other, found in read:
            if place.replaces(found):
                raise ValueError(f"{path} is an input as well ({other}); write to another file.")
        for earlier in places:
            if place.target and place.target == earlier.target:
                raise ValueError(f"{path} is written twice; each output needs a file of its own.")
        place.begin().unlink()
        places.append(place)


def output_folder(path: Path) -> Path:
    """``path`` as a folder that can be written to, made where it does not exist, links followed.

    Raises:
        ValueError: it cannot be made or written to.
    """
    try:
        Path(os.path.realpath(path)).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"folder {path} cannot be made: {reason(error)}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"folder {path} cannot be written to.")
    return path


def save_arrays(path: Path, arrays: Mapping[str, "np.ndarray[Any, Any] | int"]) -> None:
    """Write named arrays as an uncompressed .npz file to ``path``, whole or not at all."""
    with replacing(path) as partial, partial.open("wb") as file:  # np.savez would add .npz to it
        np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all; what was no UTF-8 stays so."""
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_json(path: Path, content: object) -> None:
    """Write ``content`` to ``path`` as JSON, keys in the order given, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
