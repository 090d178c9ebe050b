"""One forward and backward pass of all workers' samples: what a layer needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from signfed.app.task.shared.layout import Layout
from signfed.app.task.shared.sink import Sink


class NotShared(RuntimeError):
    """Something has no form for all workers' samples in one batch; the message says what."""


@dataclass(frozen=True, eq=False)
class SharedPass:
    """What a layer needs to know.

    Attributes
    ----------
    layout : Layout
        Whose samples are which.
    sink : Sink
        Where the gradients of parameters go.
    channels_last : bool
        Whether convolutions of images compute with channels last, as tensor cores want them.
    at_once : bool
        Whether batch norm and convolutions with few weights take all workers' sums in one call, in
        place of a call each.
    """

    layout: Layout
    sink: Sink
    channels_last: bool = False
    at_once: bool = False

    def by_worker(self, *tensors: Tensor | None) -> bool:
        """Tell whether one of these is a trained parameter, so that it needs a gradient a worker.

        Not where another one is computed from parameters, as by weight norm: a form would hand that
        one no gradient, and autograd does.

        Parameters
        ----------
        *tensors : Tensor or None
            What a layer computes with besides its input.
        """
        given = [tensor for tensor in tensors if tensor is not None]
        owned = [self.sink.owns(tensor) for tensor in given]
        computed = any(t.requires_grad and not own for t, own in zip(given, owned, strict=True))
        return any(owned) and not computed


# (pass, *args, **kwargs of a torch function) -> its value, or NotImplemented where the layer has no
# such form: the function then runs as it is.
Handler = Callable[..., Any]


def rounded(x: Tensor) -> Tensor:
    """Return a layer's input in the type that autocast computes matrix products in.

    Parameters
    ----------
    x : Tensor
        float32 for instance.
    """
    device = x.device.type
    if x.dtype == torch.float32 and torch.is_autocast_enabled(device):
        return x.to(torch.get_autocast_dtype(device))
    return x
