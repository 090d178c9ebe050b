"""Embeddings: one look-up, and a table of gradients for each worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from signfed.app.task.shared.shared_pass import Handler, SharedPass


class _Embedding(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, padding: int, of: SharedPass) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.of, ctx.weight, ctx.padding = of, weight, padding
        return torch.embedding(weight, tokens)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, ...]:
        (tokens,), of, weight = ctx.saved_tensors, ctx.of, ctx.weight
        entries = len(weight)
        if ctx.padding >= 0:  # it takes no part: its entry of the table has no gradient
            gradient = gradient.masked_fill((tokens == ctx.padding).unsqueeze(-1), 0)
        # Each worker reads a table of its own: its tokens are numbered on from the last worker's.
        first = of.layout.workers(tokens).view(-1, *(1 for _ in tokens.shape[1:])) * entries
        tables = torch.ops.aten.embedding_dense_backward(
            gradient, tokens + first, entries * len(of.layout.sizes), -1, False
        )
        of.sink.put(weight, tables)
        return None, None, None, None


def embedding(
    of: SharedPass,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Look up rows of a table; what frequencies scale, or a largest norm changes, has no such form.

    Parameters
    ----------
    of : SharedPass
    input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        As for torch's function.

    Returns
    -------
    Tensor
        Or NotImplemented, where these arguments have no such form.
    """
    plain = max_norm is None and not scale_grad_by_freq and not sparse
    if not plain or not of.layout.fits(input) or not of.by_worker(weight):
        return NotImplemented
    of.sink.expect(weight)
    padding = -1 if padding_idx is None else padding_idx % len(weight)
    return _Embedding.apply(weight, input, padding, of)


HANDLERS: dict[Callable[..., Any], Handler] = {F.embedding: embedding}
