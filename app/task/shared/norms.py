"""Norms that look at one sample: layer, group, instance and RMS norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from signfed.app.task.shared.expand import channels, expanded
from signfed.app.task.shared.shared_pass import Handler, NotShared, SharedPass


def scaled(of: SharedPass, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Return x * weight + bias by channel, in the type of x.

    Parameters
    ----------
    of : SharedPass
    x : Tensor [rows, channels, ...]
    weight, bias : Tensor [channels], or None
    """
    y = x if weight is None else x * channels(of, weight, x)
    y = y if bias is None else y + channels(of, bias, x)
    return y.to(x.dtype)


def layer_norm(
    of: SharedPass,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each row by itself; scale and shift have a gradient a worker.

    Parameters
    ----------
    of : SharedPass
    input, normalized_shape, weight, bias, eps
        As for torch's function.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if input.dim() == len(normalized_shape) or not of.layout.fits(input):
        return NotImplemented
    if not of.by_worker(weight, bias):
        return NotImplemented
    x = F.layer_norm(input, normalized_shape, None, None, eps)
    y = x if weight is None else x * expanded(of, weight, x)
    y = y if bias is None else y + expanded(of, bias, x)
    return y.to(x.dtype)


def rms_norm(
    of: SharedPass,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide each row by its root mean square.

    Parameters
    ----------
    of : SharedPass
    input, normalized_shape, weight, eps
        As for torch's function.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if input.dim() == len(normalized_shape) or not of.layout.fits(input):
        return NotImplemented
    if weight is None or not of.by_worker(weight):
        return NotImplemented
    x = F.rms_norm(input, normalized_shape, None, eps)
    return (x * expanded(of, weight, x)).to(x.dtype)


def group_norm(
    of: SharedPass,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise groups of channels of each sample.

    Parameters
    ----------
    of : SharedPass
    input, num_groups, weight, bias, eps
        As for torch's function.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if not of.layout.fits(input) or not of.by_worker(weight, bias):
        return NotImplemented
    return scaled(of, F.group_norm(input, num_groups, None, None, eps), weight, bias)


def instance_norm(
    of: SharedPass,
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample.

    Parameters
    ----------
    of : SharedPass
    input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        As for torch's function.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    if running_mean is not None and use_input_stats:
        raise NotShared("an instance norm with running statistics")
    if not of.layout.fits(input) or not of.by_worker(weight, bias):
        return NotImplemented
    x = F.instance_norm(
        input, running_mean, running_var, None, None, use_input_stats, momentum, eps
    )
    return scaled(of, x, weight, bias)


HANDLERS: dict[Callable[..., Any], Handler] = {
    F.layer_norm: layer_norm,
    F.rms_norm: rms_norm,
    F.group_norm: group_norm,
    F.instance_norm: instance_norm,
}
