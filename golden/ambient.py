"""Torch's ambient modes, set aside: what is computed here does not depend on who calls."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import torch

_F = TypeVar("_F", bound=Callable[..., Any])


@contextmanager
def plain(device: torch.device) -> Iterator[None]:
    """No autocast on a device, no gradients, no inference tensors, and new tensors on the CPU.

    The default dtype is not touched, since it belongs to all threads: what is made under it states
    its own.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        if torch.amp.is_autocast_available(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def in_plain_mode(function: _F) -> _F:
    """Run a function in `plain` mode for the first tensor, or quantised tokens, that it is given.

    Without a tensor it runs as it is, and refuses what it was given instead.
    """

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        for each in (*given, *named.values()):
            tensor = getattr(each, "q", each)
            if isinstance(tensor, torch.Tensor):
                with plain(tensor.device):
                    return function(*given, **named)
        return function(*given, **named)

    return cast(_F, call)
