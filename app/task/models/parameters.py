"""The trainable parameters of a network as one vector."""

from __future__ import annotations

from torch import Tensor, nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained, in `model.parameters()` order: only they are sent."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def flatten(model: nn.Module) -> Tensor:
    """Return the trainable parameters as one vector, float32 [N], in `model.parameters()` order.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> _ = model[0].requires_grad_(False)
    >>> flatten(model).shape
    torch.Size([4])
    """
    return nn.utils.parameters_to_vector(trainable(model)).detach()


def assign(model: nn.Module, vector: Tensor) -> None:
    """Make the trainable parameters views of a vector.

    Parameters
    ----------
    model : nn.Module
        Any network; it is changed.
    vector : Tensor [N]
    """
    nn.utils.vector_to_parameters(vector, trainable(model))
