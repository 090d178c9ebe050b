"""Whether a network's shared pass is what each worker alone would compute, tried before a run."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from signfed.app.task.gradients import Gradients
from signfed.app.task.models.parameters import assign, trainable
from signfed.app.task.shared.batches import Batches, drawn
from signfed.app.task.shared.gradients import SharedGradients
from signfed.app.task.shared.shared_pass import NotShared
from signfed.app.task.shared.sink import Sink, columns_of
from signfed.strategies.core.seeds import generator

CLOSE = 1e-5  # of a parameter's gradient in float64; what the loop returns is rounded to float32
CLOSE_IN_FLOAT32 = 1e-3
NOTHING = 1e-2  # times that of the whole gradient: below it a parameter's is rounding itself


def check(shared: SharedGradients, parameters: np.ndarray, workers: tuple[int, ...]) -> None:
    """Raise NotShared, and say why, where the pass computes anything else than the loop.

    Tried at other parameters than the start, which may hide what starts at zero: that the network
    reads no values to branch on; that the samples of one worker leave the scores of another one
    alone, to the bit; and that gradients are those of the loop, in float64, where rounding hides
    nothing. A network that does not run in float64 is tried in float32.

    Parameters
    ----------
    shared : SharedGradients
        What a run would take.
    parameters : ndarray, float32 [N]
        Of the start.
    workers : tuple of int
        One, or two, whose batches differ in size where any do.

    Raises
    ------
    NotShared
        With the reason.
    """
    draws = generator(0, "shared-trial").standard_normal(len(parameters), dtype=np.float32)
    moved = parameters + np.float32(0.01) * draws
    shared(moved, workers, 1)  # in the run's own precision
    exact = shared.of(_in_float32(shared.gradients))
    _check_apart(exact, moved, workers)
    try:
        exact, moved, close = shared.of(in_float64(shared.gradients)), moved.astype(float), CLOSE
        exact(moved, workers, 1)
    except NotShared:
        raise
    except (RuntimeError, TypeError, ValueError):  # a network that makes float32 of its own
        exact, close = shared.of(_in_float32(shared.gradients)), CLOSE_IN_FLOAT32
        moved = moved.astype(np.float32)
    _check_gradients(exact, moved, workers, close)


def _check_gradients(
    shared: SharedGradients, parameters: np.ndarray, workers: tuple[int, ...], close: float
) -> None:
    matrix = shared(parameters, workers, 1).cpu().numpy()
    columns = columns_of(trainable(shared.gradients.model)).values()
    for row, worker in zip(matrix, workers, strict=True):
        alone = shared.gradients(parameters, worker, 1).astype(row.dtype)
        least = NOTHING * float(np.linalg.norm(alone))
        for place in columns:
            error = float(np.linalg.norm(row[place] - alone[place]))
            if not error <= close * max(float(np.linalg.norm(alone[place])), least):
                raise NotShared(
                    "one batch of all workers gives other gradients than one worker at a time: "
                    "the network mixes samples, or its first dimension is not theirs"
                )


@torch.no_grad()
def _check_apart(shared: SharedGradients, parameters: np.ndarray, workers: tuple[int, ...]) -> None:
    """Exchange the samples of one worker; the scores of the other one have to stay."""
    if len(workers) < 2:
        return
    batches = drawn(shared.gradients, workers, 1)
    with _ReadsNothing():
        scores = _scores(shared, parameters, batches)
    split = batches.layout.split
    for i, j in ((0, 1), (1, 0)):
        parts = list(split(batches.x))
        parts[j] = parts[i][torch.arange(len(parts[j]), device=batches.x.device) % len(parts[i])]
        others = _scores(shared, parameters, replace(batches, x=torch.cat(parts)))
        if not torch.equal(split(scores)[i], split(others)[i]):
            raise NotShared("the scores of one worker's samples depend on another worker's")


def _scores(shared: SharedGradients, parameters: np.ndarray, batches: Batches) -> Tensor:
    model, device = shared.one_pass.own_model(), shared.gradients.device
    assign(model, torch.tensor(parameters, device=device))
    sink = Sink(columns_of(trainable(model)), slice(0, len(batches.workers)))
    with shared.gradients.precision():
        return torch.nan_to_num(shared.one_pass.scores(batches, sink, model)[0])


class _ReadsNothing(TorchDispatchMode):
    """Refuses a network that branches on values: all workers' samples would take one branch."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.data_dependent_output in func.tags:
            raise NotShared("the network reads values, here of all workers' samples together")
        return func(*args, **(kwargs or {}))


def _in_float32(gradients: Gradients) -> Gradients:
    """In its full precision."""
    same = copy.copy(gradients)
    same.precision_name = "float32"
    return same


def in_float64(gradients: Gradients) -> Gradients:
    """Return the same gradients, computed in float64.

    Parameters
    ----------
    gradients : Gradients
        Left as they are.
    """
    same, to_input = _in_float32(gradients), gradients.to_input
    same.model = copy.deepcopy(gradients.model).double()
    same.to_input = lambda x: _double(to_input(x))
    return same


def _double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x
