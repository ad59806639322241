"""Files of the cache, each with a digest at its end: what was cut off or altered is not taken.

A cache outlives machines that lose power and disks that fill up. A shared library that lacks its
end kills the process that loads it (SIGBUS), so no content is believed by its name alone.
"""

import hashlib
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

_MARK = b"\n// sha256 "
"""Before the digest: a comment in Verilog, and beyond what the loader reads of a library."""


def whole(path: Path) -> bytes | None:
    """What is kept at ``path``, as it was given to `keep`; None if that is not there whole.

    Of a shared library of 1.5 MB that is 5 ms.
    """
    try:
        content, mark, digest = path.read_bytes().rpartition(_MARK)
    except OSError:  # it is not there, or cannot be read, or is a folder
        return None
    return content if mark and digest == _digest(content) else None


def keep(path: Path, content: bytes) -> None:
    """Keep ``content`` at ``path``, whole or not at all, in the place of whatever is there.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    # A rename replaces all else, links and read-only files too.
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    # Named after it: what a killed writer leaves is removed with what killed builds leave.
    with TemporaryDirectory(
        ".partial", f"{path.stem}.", path.parent, ignore_cleanup_errors=True
    ) as work:
        partial = Path(work) / path.name
        with partial.open("wb") as file:
            file.write(content + _MARK + _digest(content))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
