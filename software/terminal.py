"""The console that progress is shown on: stderr, and only where that is a terminal.

One for all, so that a bar and what is shown meanwhile do not write over each other.
"""

from rich.console import Console

console = Console(stderr=True)
