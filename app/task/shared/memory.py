"""What a pass keeps in memory, and how many samples a GPU has room for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.shared.gradients import SharedGradients

SHARE = 0.5  # of a card's memory for what the backward pass needs; the rest is for its gradients


def bytes_per_sample(shared: SharedGradients, parameters: np.ndarray, worker: int) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, for one sample.

    Parameters
    ----------
    shared : SharedGradients
    parameters : ndarray, float32 [N]
    worker : int
        On whose batch it is counted.
    """
    of = shared.of(shared.gradients)
    once, twice = (_kept(of, parameters, [worker] * times) for times in (1, 2))
    return max(1, (twice - once) // shared.gradients.batch_sizes[worker])


def _kept(shared: SharedGradients, parameters: np.ndarray, workers: Sequence[int]) -> int:
    """Bytes of everything that the backward pass of these workers needs."""
    kept: dict[int, int] = {}
    held: list[Tensor] = []  # alive, so that an address is one tensor's

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)
        return tensor

    shared.samples = None  # in one pass, in this thread
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        shared(parameters, workers, 1)
    return sum(kept.values())


def samples_that_fit(per_sample: int, total: int) -> int:
    """Return how many samples a pass may have on a card with so many bytes.

    Parameters
    ----------
    per_sample : int
        Bytes, as counted.
    total : int
        Of the card. Not what is free, so that a run repeated beside other work has the same passes.

    Examples
    --------
    >>> samples_that_fit(100_000_000, 80_000_000_000)
    400
    """
    return max(1, int(SHARE * total) // per_sample)
