"""What the kernels for a GPU must give, on a GPU or as Triton interprets them on a CPU.

python -m tests.kernels, with TRITON_INTERPRET=1, is the second.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from signfed.app.task.draws import Draws
from signfed.app.task.models.pool import _Tiles
from signfed.app.task.shared import _norm_tensors
from signfed.strategies.ops import _tensors

ROWS = (1, 1), (3, 17), (5, 5000), (20, 9000), (33, 2048)  # rows, coordinates
SHAPES = (  # of three workers' samples, and whether channels lie last
    ((6, 5, 4, 4), True), ((6, 5, 4, 4), False), ((6, 70, 3, 3), True), ((12, 7), False),
    ((6, 3, 9), False), ((9, 3, 40, 33), False), ((9, 3, 40, 33), True),
)  # fmt: skip


def check_packed_signs(device):
    """Every operation, bit by bit, beside the tensor operations on the CPU."""
    from signfed.strategies.ops import _triton

    torch.manual_seed(0)
    for n, n_coordinates in ROWS:
        values = torch.randn(n, n_coordinates)
        values[0, 0], values[-1, -1] = torch.nan, -0.0
        found, bits = _triton.pack(values.to(device)), _tensors.pack(values)
        same(found, bits)
        same(_triton.pack(values[0].to(device)), bits[0])
        same(_triton.signs(found, n_coordinates), _tensors.signs(bits, n_coordinates))
        same(_triton.signs(found[0], n_coordinates), _tensors.signs(bits[0], n_coordinates))
        for votes in ([1], [(n + 1) // 2], [1, n, n // 2 + 1]):
            pairs = zip(_triton.at_least(found, votes), _tensors.at_least(bits, votes), strict=True)
            for ours, expected in pairs:
                same(ours, expected)
        same(_triton.disagreements(found, found[-1]), _tensors.disagreements(bits, bits[-1]))
        same(_triton.pairwise(found), _tensors.pairwise(bits))
        weights = torch.tensor([1, -1, 0, 1, 1] * n, dtype=torch.int32)[:n]
        same(_triton.weighed(found, weights.to(device), n_coordinates),
             _tensors.weighed(bits, weights, n_coordinates))  # fmt: skip
        accepted = int((weights > 0).sum())
        spans = [((accepted + 1) // 2, accepted // 2 + 2), (1, accepted + 1)]
        same(_triton.right_where_narrow(found, weights.to(device), accepted, spans),
             _tensors.right_where_narrow(bits, weights, accepted, spans))  # fmt: skip


def same(found, expected):
    assert found.dtype == expected.dtype and torch.equal(found.cpu(), expected)


def check_norms(device):
    """Outputs, statistics and slopes of batch norm beside PyTorch's own, a worker at a time."""
    from signfed.app.task.shared import _norm_kernels

    torch.manual_seed(0)
    for shape, last in SHAPES:
        for affine in (True, False):
            weight, bias = torch.randn(2, shape[1]) if affine else (None, None)
            x, gradient = 2 * torch.randn(shape) + 3, torch.randn(shape)
            expected = one_by_one(x, gradient, weight, bias)
            if last:
                x = x.contiguous(memory_format=torch.channels_last)
            given = [t if t is None else t.to(device) for t in (x, weight, bias)]
            for kernels in (_norm_kernels, _norm_tensors):
                y, mean, rstd = kernels.normalised(*given, 1e-5, 3)
                assert y.stride() == given[0].stride() or not last or kernels is _norm_tensors
                slopes = kernels.slopes(given[0], gradient.to(device), given[1], mean, rstd)
                for found, wanted in zip((y, *slopes), expected, strict=True):
                    scale = float(wanted.abs().max())
                    assert float((found.cpu() - wanted).abs().max()) < 1e-5 * scale, (shape, last)


def one_by_one(x, gradient, weight, bias):
    """y, gx, and gw and gb [workers, C], by PyTorch in float64."""
    ones = torch.ones(x.shape[1]), torch.zeros(x.shape[1])
    parts = []
    for part, slope in zip(x.double().chunk(3), gradient.double().chunk(3), strict=True):
        w, b = ((o if t is None else t).double() for o, t in zip(ones, (weight, bias), strict=True))
        leaves = [leaf.requires_grad_() for leaf in (part.clone(), w.clone(), b.clone())]
        y = torch.nn.functional.batch_norm(leaves[0], None, None, *leaves[1:], True, 0.1, 1e-5)
        parts.append((y.detach(), *torch.autograd.grad(y, leaves, slope)))
    y, on_x, on_weight, on_bias = zip(*parts, strict=True)
    stacked = torch.cat(y), torch.cat(on_x), torch.stack(on_weight), torch.stack(on_bias)
    return tuple(found.float() for found in stacked)


def check_masks(device):
    """Each worker's masks beside NumPy's, with dropouts that begin between two halves of a word."""
    from signfed.app.task.shared._mask_kernels import draw_masks

    large = [([0.5], [(2**25 + 3,)], 1)] if device == "cuda" else []  # more blocks than an axis has
    for rates, shapes, batch in (
        ([0.5], [(3,)], 1),
        ([0.25, 0.5, 0.1], [(3, 3), (700,), (1, 1)], 3),
        ([1.0, 0.0], [(2,), (2,)], 2),
        *large,
    ):
        draws = Draws(SimpleNamespace(augment=None), [np.arange(9)] * 7, batch, 1, rates)
        draws._mask_shapes = shapes
        workers = [6, 2, 3]
        streams = draws.mask_streams(workers, 11)
        found = draw_masks(rates, shapes, batch, streams, torch.device(device))
        expected = zip(*(draws.masks(worker, 11) for worker in workers), strict=True)
        for ours, theirs in zip(found, expected, strict=True):
            same(ours, torch.from_numpy(np.concatenate(theirs)))


def check_windows(device):
    """Windows beside PyTorch's, with strides and edges that differ down and right."""
    from signfed.app.task.shared._window_kernels import windows

    torch.manual_seed(0)
    for shape, side, stride, pad in (
        ((4, 1, 6, 5), (3, 3), (1, 1), (0, 0)), ((6, 3, 9, 40), (2, 5), (2, 3), (1, 2)),
    ):  # fmt: skip
        x = torch.randn(shape)
        theirs = torch.nn.functional.unfold(x, side, padding=pad, stride=stride)
        for parts in (1, 2):
            expected = theirs.unflatten(0, (parts, -1)).transpose(1, 2).flatten(2)
            same(windows(x.to(device), parts, side, stride, pad), expected)


def check_pool_slopes(device):
    from signfed.app.task.models._pool_kernels import slopes

    torch.manual_seed(0)
    for high, wide in ((2, 2), (3, 1)):
        x = torch.randint(0, 3, (5, 3, 6, 8)).float()
        y, chosen = torch.nn.functional.max_pool2d(x, (high, wide), return_indices=True)
        gradient = torch.randn_like(y)
        expected = torch.nn.functional.max_unpool2d(gradient, chosen, (high, wide))
        same(slopes(gradient.to(device), chosen.to(device), (6, 8)), expected)


def check_pool(device):
    """Values, slopes and ties of the pool for a GPU beside PyTorch's, also under vmap."""
    torch.manual_seed(0)
    x = torch.randint(0, 3, (5, 3, 6, 8)).float().to(device).requires_grad_()
    slope = torch.randn(5, 3, 3, 4, device=device)
    theirs = torch.nn.functional.max_pool2d(x, 2)
    ours = _Tiles.apply(x, 2, 2)[0]
    assert torch.equal(ours, theirs)
    expected, found = (torch.autograd.grad(y, x, slope)[0] for y in (theirs, ours))
    assert torch.equal(found, expected)
    many = torch.randn(4, 5, 3, 6, 8, device=device)
    slopes = [
        torch.func.vmap(torch.func.grad(lambda x, pool=pool: (pool(x) ** 2).sum()))(many)
        for pool in (lambda x: _Tiles.apply(x, 2, 2)[0], theirs_of)
    ]
    assert torch.equal(*slopes)


def theirs_of(x):
    return torch.nn.functional.max_pool2d(x, 2)


CHECKS = check_packed_signs, check_norms, check_masks, check_windows, check_pool_slopes

if __name__ == "__main__":
    for check in CHECKS:
        check("cpu")
