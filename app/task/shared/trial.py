"""Whether all workers' gradients are what each worker alone would compute, tried before a run."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from signfed.app.task.batched import BatchedGradients
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
ROUNDED, NEAR = 4, 0.05  # times as far from float64 as the loop; or of the whole gradient

Many = SharedGradients | BatchedGradients


def check(shared: SharedGradients, parameters: np.ndarray, workers: tuple[int, ...]) -> None:
    """Raise NotShared, and say why, where the pass computes anything else than the loop.

    Tried is that the network reads no values to branch on; that the samples of one worker leave the
    scores of another one alone, to the bit; and that there is no `difference`.

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
    moved = _moved(parameters)
    shared(moved, workers, 1)  # what has no form is named here
    _check_apart(shared.of(_in_float32(shared.gradients)), moved, workers)
    if found := difference(shared, parameters, workers):
        raise NotShared(
            f"one batch of all workers gives {found}, as where a network mixes samples, or its "
            "first dimension is not theirs"
        )


def difference(many: Many, parameters: np.ndarray, workers: tuple[int, ...]) -> str:
    """Say how all workers' gradients differ from the loop's, beyond rounding; "" if they do not.

    Compared in float64, where rounding hides nothing: at other parameters than the start, which may
    hide what starts at zero, and in another round at the start, where forms may differ at zero
    alone. A network that does not run in float64 is compared in float32. Then roughly in the
    precision of the run, which may have kernels of its own, and activations on the other side of a
    ReLU.

    Parameters
    ----------
    many : SharedGradients or BatchedGradients
        What a run would take.
    parameters : ndarray, float32 [N]
        Of the start.
    workers : tuple of int
        Whose gradients.

    Raises
    ------
    NotShared
        When a network has no shared form.
    """
    moved = _moved(parameters)
    x, start = moved.astype(float), parameters.astype(float)
    try:
        exact, close = many.of(in_float64(many.gradients)), CLOSE
        exact(x, workers, 1)
    except NotShared:
        raise
    except (RuntimeError, TypeError, ValueError):  # a network that makes float32 of its own
        exact, close = many.of(_in_float32(many.gradients)), CLOSE_IN_FLOAT32
        x, start = moved, parameters
    others, loops = "other gradients than one worker at a time", _loop(exact, x, workers, 1)
    if not _close(exact, x, workers, 1, loops, close):
        return others
    if not _close(exact, start, workers, 2, _loop(exact, start, workers, 2), close):
        return f"{others} at the parameters of the start"
    rounding = float(np.linalg.norm(_loop(many, moved, workers, 1) - loops))
    error = float(np.linalg.norm(many(moved, workers, 1).cpu().numpy() - loops))
    if not error <= max(ROUNDED * rounding, NEAR * float(np.linalg.norm(loops))):
        return f"{others} in {many.gradients.precision_name}"
    return ""


def _moved(parameters: np.ndarray) -> np.ndarray:
    draws = generator(0, "shared-trial").standard_normal(len(parameters), dtype=np.float32)
    return parameters + np.float32(0.01) * draws


def _loop(
    many: Many, parameters: np.ndarray, workers: tuple[int, ...], server_round: int
) -> np.ndarray:
    rows = [many.gradients(parameters, worker, server_round) for worker in workers]
    return np.stack(rows).astype(parameters.dtype)


def _close(
    many: Many, parameters: np.ndarray, workers: tuple[int, ...],
    server_round: int, loops: np.ndarray, close: float,
) -> bool:  # fmt: skip
    """Whether each worker's gradient of each parameter is the loop's."""
    matrix = many(parameters, workers, server_round).cpu().numpy()
    columns = columns_of(trainable(many.gradients.model)).values()
    for row, alone in zip(matrix, loops, strict=True):
        least = NOTHING * float(np.linalg.norm(alone))
        for place in columns:
            error = float(np.linalg.norm(row[place] - alone[place]))
            if not error <= close * max(float(np.linalg.norm(alone[place])), least):
                return False
    return True


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
