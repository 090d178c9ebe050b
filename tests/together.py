"""Whole runs in less time: all workers' gradients of a round in one call."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from signfed.app.task import Classification


def workers_of(problem):
    return range(problem._workload.num_workers)


class Together:
    """In place of Classification.gradient: all workers' at once, the same bits; see test_local."""

    def __init__(self):
        self._real = Classification.gradient
        self._batched = lru_cache(lambda problem: problem.batched(lambda t: workers_of(problem)))
        self._of = None

    def __call__(self, problem, parameters, worker, server_round, poison=None):
        batched = self._batched(problem)
        if poison or not batched:
            return self._real(problem, parameters, worker, server_round, poison)
        if (
            self._of is None
            or self._of[0] != server_round
            or not np.array_equal(self._of[1], parameters)
        ):
            self._of = server_round, parameters.copy()
            self._found = batched(
                torch.from_numpy(parameters), workers_of(problem), server_round
            ).numpy()
        return self._found[worker]
