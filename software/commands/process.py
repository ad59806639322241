"""The process of a command: what ends it, and where its outputs go."""

import os
import signal
import sys
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def prepare() -> None:
    """Make this process end in order when it is told to, and write nowhere it should not.

    A signal that ends it raises `SystemExit`, by the convention 128 more than its number, so that
    what is half written is removed. A standard stream that is closed (``>&-``) leads nowhere: else
    its number would go to the next file that is opened, and what is printed into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(number, True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for ending in _ENDING:
        if signal.getsignal(ending) is signal.SIG_DFL:  # nohup's stays ignored
            signal.signal(ending, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    for ending in _ENDING:  # a second one must not break off the cleaning up
        signal.signal(ending, signal.SIG_IGN)
    raise SystemExit(128 + number)
