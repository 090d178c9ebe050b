"""The trainable parameters of a network as one vector."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained, in `model.parameters()` order: only they are sent.

    Parameters
    ----------
    model : nn.Module
        Its parameters without a value, such as the weight of a layer without inputs, are left out.
    """
    return [p for p in model.parameters() if p.requires_grad and p.numel()]


def joined(tensors: Iterable[Tensor]) -> Tensor:
    """Return tensors as one vector, each in its logical order, whatever its strides.

    Parameters
    ----------
    tensors : iterable of Tensor
        At least one.

    Examples
    --------
    >>> joined([torch.tensor([[0, 1], [2, 3]]).T, torch.tensor(4)])
    tensor([0, 2, 1, 3, 4])
    """
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def flatten(model: nn.Module) -> Tensor:
    """Return the trainable parameters as one vector, float32 [N], in `model.parameters()` order.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> _ = model[0].requires_grad_(False)
    >>> flatten(model).shape
    torch.Size([4])
    """
    return joined(trainable(model)).detach()


def assign(model: nn.Module, vector: Tensor) -> None:
    """Make the trainable parameters views of a vector.

    Parameters
    ----------
    model : nn.Module
        Any network; it is changed.
    vector : Tensor [N]
    """
    nn.utils.vector_to_parameters(vector, trainable(model))
