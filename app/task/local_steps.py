"""Local steps: a worker takes several steps of SGD before it sends one message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor

Vector = TypeVar("Vector", np.ndarray, Tensor)


@dataclass(frozen=True)
class LocalSteps:
    """How many steps a worker takes in a round, and how long they are.

    Attributes
    ----------
    count : int
        k, at least 1.
    lr : float
        eta, above 0. It does not matter where k is 1.
    """

    count: int = 1
    lr: float = 0.1


ONE_STEP = LocalSteps()


def local_change(
    gradient: Callable[[Vector, int], Vector], parameters: Vector, steps: LocalSteps
) -> Vector:
    """Compute what k local steps change, in units of their learning rate.

    With x_0 the model of the round and x_{j+1} = x_j - eta g_j(x_j),

        (x_0 - x_k) / eta = g_0(x_0) + ... + g_{k-1}(x_{k-1}),

    so one step is the gradient, to the last bit, whatever eta is.

    Parameters
    ----------
    gradient : callable
        (x_j, j) -> g_j(x_j), on the batch of step j.
    parameters : ndarray or Tensor, float32 [N]
        x_0, which is not changed.
    steps : LocalSteps
        k and eta.

    Returns
    -------
    ndarray or Tensor
        float32 [N]; [n, N] where `gradient` answers for n workers at once.

    Examples
    --------
    >>> local_change(lambda x, j: x, np.float32([8.0, -4.0]), LocalSteps(3, 0.5))
    array([14., -7.], dtype=float32)

    References
    ----------
    McMahan et al. 2017, Algorithm 1, ClientUpdate, with batches drawn anew at each step.

    Notes
    -----
    Deviation: the model is not sent but its change, divided by eta. The papers of this library's
    rules analyse one gradient a round; none covers k > 1.
    """
    x, slope = parameters, gradient(parameters, 0)
    total = slope
    for step in range(1, steps.count):
        x = x - steps.lr * slope
        slope = gradient(x, step)
        total = total + slope
    return total


def keys(worker: int, server_round: int, step: int) -> tuple[int, ...]:
    """Return what tells the draws of a step from those of others; the first one's have no number.

    Parameters
    ----------
    worker, server_round, step : int
        Worker and step from 0, round from 1.

    Examples
    --------
    >>> keys(4, 7, 0), keys(4, 7, 2)
    ((4, 7), (4, 7, 2))
    """
    return (worker, server_round, step) if step else (worker, server_round)
