"""What a model is worth on the test set."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.models.parameters import assign
from signfed.app.task.precision import precision
from signfed.app.task.seeded import seeded
from signfed.strategies.core.seeds import generator

TEST_BATCH = 1000

Loss = Callable[[Tensor, Tensor], Tensor]  # (scores [B, C], labels [B]) -> their mean loss


def pieces(n: int) -> list[slice]:
    """Return n samples cut into batches of 1,000; a rest of fewer than 100 joins the one before it.

    Batch norm takes its statistics from the batch: of one sample it has none.

    Parameters
    ----------
    n : int
        At least 1.

    Examples
    --------
    >>> [piece.stop - piece.start for piece in pieces(2_600)]
    [1000, 1000, 600]
    >>> [piece.stop - piece.start for piece in pieces(2_001)]
    [1000, 1001]
    """
    starts = list(range(0, n, TEST_BATCH))
    if len(starts) > 1 and n - starts[-1] < max(2, TEST_BATCH // 10):
        starts.pop()
    return [slice(*ends) for ends in zip(starts, [*starts[1:], n], strict=True)]


def mixed(n: int) -> np.ndarray:
    """Return the order in which n samples that lie class by class are cut into pieces.

    Batch norm takes its statistics from the piece: of samples of one class they are another
    network's.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray, int64 [n]
        Always the same for n; as they lie where they are one piece.

    Examples
    --------
    >>> mixed(1_099)[:3].tolist(), mixed(1_100)[:3].tolist()
    ([0, 1, 2], [1040, 492, 212])
    """
    one = n < TEST_BATCH + max(2, TEST_BATCH // 10)
    return np.arange(n) if one else generator(0, "evaluation order").permutation(n)


def measured(loss: Loss, scores: Tensor, labels: Tensor, seed: int, *keys: int) -> Tensor:
    """Return the loss; what a user's own one draws is a function of (seed, *keys).

    Parameters
    ----------
    loss : Loss
        Any loss.
    scores : Tensor, float32 [B, C]
        Of the network.
    labels : Tensor, int64 [B]
        Of the batch.
    seed : int
        Of the run.
    *keys : int
        What tells this call from others.
    """
    if loss is cross_entropy:
        return loss(scores, labels)
    with seeded(int(generator(seed, "loss", *keys).integers(1 << 32))):
        return loss(scores, labels)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    parameters: Tensor,
    data: Dataset,
    loss: Loss = cross_entropy,
    label: int | None = None,
) -> tuple[float, ...]:
    """Evaluate a model on the test set, nothing dropped; in float32, whatever gradients are in.

    Parameters
    ----------
    model : nn.Module
        On the device of the test set; takes the parameters.
    parameters : Tensor
        float32 [N], of the trainable parameters.
    data : Dataset
    loss : callable
        (scores [B, C], labels [B]) -> the batch's mean.
    label : int, optional
        A class that is also looked at alone: in the same pieces, whose statistics batch norm takes.

    Returns
    -------
    tuple of float
        Accuracy in [0, 1] and mean loss. With a label also the accuracy on its samples and that on
        all others; NaN where there is no such sample.
    """
    # Copies throughout: a user's model, loss or to_input may write into what it is given.
    assign(model.eval(), parameters.to(data.test_x.device, copy=True))
    hits, losses, theirs = [], [], []
    with precision("float32", data.test_x.device):
        for piece in pieces(len(data.test_y)):
            y = data.test_y[piece].clone()
            scores = model(data.to_input(data.test_x[piece].clone()))
            right = scores.argmax(1) == y
            hits.append(right.sum())
            if label is not None:
                theirs.append((right & (y == label)).sum())
            losses.append(measured(loss, scores, y, 0, piece.start).double().reshape(()) * len(y))
    # All in one copy from the device. The order of the sum is that of the pieces.
    found, count = torch.stack([*hits, *losses, *theirs]).cpu().tolist(), len(data.test_y)
    correct, total, of_label = (sum(found[i * len(hits) : (i + 1) * len(hits)]) for i in range(3))
    if label is None:
        return correct / count, total / count
    n = int((data.test_y == label).sum())
    apart = ((of_label, n), (correct - of_label, count - n))
    return correct / count, total / count, *(x / m if m else math.nan for x, m in apart)
