"""A round's gradient as one CUDA graph: its hundreds of kernels are launched by one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

log = logging.getLogger("signfed")

WARM_UP = 3  # calls of a shape before it is captured: libraries choose and allocate in the first
KEPT = 4  # shapes that are captured, the first ones; each graph holds the memory of a pass
COUNTED = 64  # shapes whose calls are counted; of more, the oldest begins anew

Function = Callable[..., Tensor]
Capture = Callable[[Function, Sequence[Tensor]], Function]


class Replays:
    """Run a function of tensors; from the fourth call of a shape on, replay what was captured.

    What cannot be captured, because it waits for a value of the device, runs as it is; so does what
    finds no room for a graph, and every shape after the first four.

    Parameters
    ----------
    capture : callable
        (function, tensors) -> a function of other tensors of the same shapes.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._calls: dict[Hashable, int] = {}
        self._kept: dict[Hashable, Function] = {}

    def __call__(self, key: Hashable, function: Function, given: Sequence[Tensor]) -> Tensor:
        """Return function(*given), the tensor itself the caller's.

        Parameters
        ----------
        key : hashable
            What the function depends on besides the shapes of its tensors.
        function : callable
        given : sequence of Tensor
        """
        key = key, tuple((tensor.shape, tensor.dtype) for tensor in given)
        if key in self._kept:
            return self._kept[key](*given)
        calls = self._calls.pop(key, 0) + 1
        if calls <= WARM_UP or len(self._kept) == KEPT:
            self._calls[key] = calls  # now the last one
            if len(self._calls) > COUNTED:
                del self._calls[next(iter(self._calls))]
            return function(*given)
        try:
            self._kept[key] = self._capture(function, given)
        except RuntimeError as error:
            self._kept[key] = function
            full = isinstance(error, torch.cuda.OutOfMemoryError)
            said = "no room for a CUDA graph" if full else "no CUDA graph of this network"
            log.info("gradients: %s (%s)", said, str(error).split("\n")[0])
        if self._kept[key] is function:
            torch.cuda.empty_cache()  # what the attempt took; its error held on to it until now
        return self._kept[key](*given)


def captured(function: Function, given: Sequence[Tensor]) -> Function:
    """Capture a call as a CUDA graph.

    Parameters
    ----------
    function : callable
        Of tensors on a GPU, with the same kernels for all values.
    given : sequence of Tensor
        What it is captured with.

    Returns
    -------
    callable
        Copies what it is given to where the graph reads, replays it, and copies the result.
    """
    fixed = [tensor.clone() for tensor in given]
    torch.cuda.synchronize()
    aside = torch.cuda.Stream()
    with torch.cuda.stream(aside):
        function(*fixed)
    torch.cuda.synchronize()
    graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph):
            made = function(*fixed)
    finally:  # a capture that fails leaves its own stream behind
        torch.cuda.set_stream(here)

    def replay(*others: Tensor) -> Tensor:
        for place, tensor in zip(fixed, others, strict=True):
            place.copy_(tensor)
        graph.replay()
        return made.clone()

    return replay
