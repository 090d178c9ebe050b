"""Batch norm of several workers' samples as tensor operations, on any device and in any type.

With x^ = (x - mean) rstd and sums over a worker's samples and pixels, n of them:

    y = w x^ + b
    gx = w rstd (g - sum(g) / n - x^ sum(g x^) / n)
    gw = sum(g x^),    gb = sum(g)
"""

from __future__ import annotations

import torch
from torch import Tensor


def normalised(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, workers: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return y, and mean and rstd: x [workers * B, C, ...]; the statistics [workers, C]."""
    xs = _by_worker(x, workers)
    wide = torch.promote_types(xs.dtype, torch.float32)
    variance, mean = torch.var_mean(xs.to(wide), (1, 3), correction=0)
    rstd = (variance + eps).rsqrt()
    factor = rstd if weight is None else rstd * weight
    y = (xs - _wide(mean)) * _wide(factor)
    y = y if bias is None else y + bias.view(1, 1, -1, 1)
    return y.to(x.dtype).reshape(x.shape), mean, rstd


def slopes(
    x: Tensor, gradient: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gx of the shape of x, gw and gb [workers, C]."""
    xs, gs = (_by_worker(t, len(mean)) for t in (x, gradient))
    gs, centred = gs.to(mean.dtype), xs - _wide(mean)
    sum_g = gs.sum((1, 3))
    sum_gx = (gs * centred).sum((1, 3)) * rstd
    n = xs.shape[1] * xs.shape[3]
    factor = rstd if weight is None else rstd * weight
    on_x = _wide(factor) * (gs - _wide(sum_g / n) - centred * _wide(rstd * sum_gx / n))
    return on_x.to(gradient.dtype).reshape(x.shape), sum_gx, sum_g


def _by_worker(x: Tensor, workers: int) -> Tensor:
    """[workers, B, C, pixels]."""
    return (x.flatten(2) if x.dim() > 2 else x.unsqueeze(2)).unflatten(0, (workers, -1))


def _wide(statistic: Tensor) -> Tensor:
    return statistic[:, None, :, None]
