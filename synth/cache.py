"""Keeps results as JSON files, each named by the hash of all that it was made from."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


class Cache:
    """A folder of results; without a folder, nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @staticmethod
    def key(made_from: Sequence[str | bytes]) -> str:
        """The hash of all parts, each set apart from the next by its length."""
        digest = hashlib.sha256()
        for part in made_from:
            content = part.encode() if isinstance(part, str) else part
            digest.update(f"{len(content)}\n".encode() + content)
        return digest.hexdigest()

    def get(self, key: str) -> Any | None:
        """What was kept; None if nothing was, or if it cannot be read."""
        if self._folder is None:
            return None
        try:
            return json.loads((self._folder / f"{key}.json").read_text())
        except (OSError, ValueError):
            return None

    def put(self, key: str, result: Any) -> None:
        """Keep a result of JSON types; where the folder takes none, it is made again next time."""
        if self._folder is None:
            return
        partial = self._folder / f".{key}.{secrets.token_hex(4)}"
        with suppress(OSError):
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                partial.write_text(json.dumps(result))
                partial.replace(self._folder / f"{key}.json")
            finally:
                partial.unlink(missing_ok=True)
