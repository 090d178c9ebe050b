"""A round's gradient as one CUDA graph: its hundreds of kernels are launched by one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

log = logging.getLogger("signfed")

WARM_UP = 3  # calls of a shape before it is captured: libraries choose and allocate in the first
KEPT = 4  # shapes whose graphs are kept; each holds the memory of a pass

Function = Callable[..., Tensor]
Capture = Callable[[Function, Sequence[Tensor]], Function]


class Replays:
    """Run a function of tensors; from the fourth call of a shape on, replay what was captured.

    What cannot be captured, because it waits for a value of the device, runs as it is.

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
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= WARM_UP:
            return function(*given)
        if len(self._kept) == KEPT:
            oldest = next(iter(self._kept))
            del self._kept[oldest], self._calls[oldest]
        try:
            self._kept[key] = self._capture(function, given)
        except RuntimeError as error:
            log.info("gradients: no CUDA graph of this network (%s)", str(error).split("\n")[0])
            self._kept[key] = function
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
