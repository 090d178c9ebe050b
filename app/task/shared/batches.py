"""What several workers compute on in a round, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from signfed.app.task.gradients import Gradients
from signfed.app.task.shared.layout import Layout
from signfed.strategies.ops.devices import runs_kernels
from signfed.strategies.ops.upload import uploaded


@dataclass(frozen=True, eq=False)
class Batches:
    """What some workers compute on, one worker's samples after another's.

    Attributes
    ----------
    workers : tuple of int
    server_round : int
    layout : Layout
    x, y : Tensor
        Network input and labels of all samples.
    masks : list of Tensor
        One for each dropout.
    """

    workers: tuple[int, ...]
    server_round: int
    layout: Layout
    x: Tensor
    y: Tensor
    masks: list[Tensor]


def drawn(
    of: Gradients, workers: Sequence[int], server_round: int, *, each_input: bool = False
) -> Batches:
    """Draw the batches of these workers in the round, and put them into one.

    Parameters
    ----------
    of : Gradients
        Whose batches, augmentation and masks they are.
    workers : sequence of int
    server_round : int
    each_input : bool
        Whether network input is made for one worker at a time.

    Returns
    -------
    Batches
        In the order of the workers.
    """
    ids = of.of_all("batch", workers, server_round)
    changes = of.of_all("changes", workers, server_round)
    if each_input:
        samples = zip(*map(of.samples, ids, changes), strict=True)
        x, y = (torch.cat(part) for part in samples)
    else:
        some = [change for change in changes if change is not None]
        x, y = of.samples(np.concatenate(ids), np.concatenate(some) if some else None)
    layout = Layout(tuple(len(each) for each in ids))
    masks = _masks(of, workers, server_round, layout)
    return Batches(tuple(workers), server_round, layout, x, y, masks)


def _masks(
    of: Gradients, workers: Sequence[int], server_round: int, layout: Layout
) -> list[Tensor]:
    rates, shapes = of.dropouts
    if rates and layout.equal and runs_kernels(of.device):
        kernels = import_module("signfed.app.task.shared._mask_kernels")
        streams = of.mask_streams(workers, server_round)
        drawn: list[Tensor] = kernels.draw_masks(rates, shapes, layout.sizes[0], streams, of.device)
        return drawn
    by_dropout = zip(*of.of_all("masks", workers, server_round), strict=True)
    return [uploaded(np.concatenate(mask), of.device) for mask in by_dropout]


def summed_loss(of: Gradients, scores: Tensor, batches: Batches) -> Tensor:
    """Return the sum of the workers' mean losses, L_1 + ... + L_M.

    Parameters
    ----------
    of : Gradients
        Whose loss it is; what a user's own one draws is a function of seed, worker and round.
    scores : Tensor [total, C]
    batches : Batches
    """
    layout = batches.layout
    if of.loss is cross_entropy and layout.equal:
        return cross_entropy(scores, batches.y, reduction="sum") / layout.sizes[0]
    parts = zip(batches.workers, layout.split(scores), layout.split(batches.y), strict=True)
    losses = [of.mean_loss(part, y, worker, batches.server_round) for worker, part, y in parts]
    return torch.stack(losses).sum()


def chunks(sizes: Sequence[int], most: int | None) -> list[slice]:
    """Return runs of workers with together at most so many samples, and at least one worker.

    Parameters
    ----------
    sizes : sequence of int
        Samples of each worker.
    most : int, optional
        None: no limit.

    Examples
    --------
    >>> chunks([2, 2, 2, 9, 1], 5)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None), slice(4, 5, None)]
    """
    found, start, held = [], 0, 0
    for i, size in enumerate(sizes):
        if most is not None and i > start and held + size > most:
            found.append(slice(start, i))
            start, held = i, 0
        held += size
    return [*found, slice(start, len(sizes))]
