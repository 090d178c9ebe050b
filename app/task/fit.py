"""Whether a data set, a model and a loss fit one another, tried before anything starts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from signfed.app.errors import ConfigError
from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.evaluation import Loss, measured
from signfed.app.task.gradients import Gradients
from signfed.app.task.models import Spec, assign, flatten, trainable
from signfed.app.task.seeded import watched
from signfed.strategies.core.own import reason
from signfed.strategies.core.seeds import generator
from signfed.strategies.ops.threads import one_thread


@dataclass(frozen=True)
class Names:
    """What the run config calls the data set, the model and the loss."""

    task: str
    model: str
    loss: str

    @property
    def own(self) -> bool:
        """Whether one of them is the user's."""
        return any(":" in name for name in (self.task, self.model, self.loss))

    def of(self, *kinds: str) -> str:
        """Return the keys as they are written: "model='mine:net'".

        Parameters
        ----------
        *kinds : str
            Of "task", "model" and "loss".
        """
        return ", ".join(f"{kind}={getattr(self, kind)!r}" for kind in kinds)


def network_input(names: Names, data: Dataset, stored: Tensor) -> Tensor:
    """Make network input of the first two samples, [2, ...].

    Parameters
    ----------
    names : Names
        For the messages.
    data : Dataset
        Whose to_input is called.
    stored : Tensor [n, ...]
        Samples as stored.

    Raises
    ------
    ConfigError
        When to_input fails, draws at random, or does not return a tensor of two samples.
    """
    label, samples = f"{names.of('task')}: to_input", stored[:2].clone()
    try:
        with watched() as drawn:
            x: Any = data.to_input(samples)
    except Exception as error:
        raise ConfigError(f"{label}: {reason(error)}") from error
    if not isinstance(x, Tensor) or x.shape[:1] != samples.shape[:1]:
        raise ConfigError(f"{label}: expected a tensor [{len(samples)}, ...]; got {_kind(x)}")
    _refuse_draws(label, drawn)
    return x


def check_fit(
    names: Names,
    spec: Spec,
    model_of: Callable[[], nn.Module],
    data: Dataset,
    loss: Loss,
    gradients_of: Callable[[], Gradients],
    server_shard: np.ndarray,
) -> None:
    """Try what a run does on two samples: evaluation, training, loss, and a gradient twice.

    Parameters
    ----------
    names : Names
        For the messages.
    spec : Spec
        What the model was made for.
    model_of, gradients_of : callable
        Make the model and its gradients, and may fail.
    data : Dataset
    loss : callable
    server_shard : ndarray
        int64 ids of the samples that the server keeps; none perhaps.

    Raises
    ------
    ConfigError
        With the name of what does not fit, what was expected and what was found.
    """
    x, seen = (network_input(names, data, stored) for stored in (data.train_x, data.test_x))
    refused = f"{names.of('model')}: cannot take {names.of('task')}, {spec.described()}"
    model = _tried(refused, model_of)
    _check_parameters(names, model)
    with one_thread():
        scores = _check_passes(names, refused, spec, model, x, seen)
        _check_loss(names, loss, scores, data.train_y[: len(x)].clone())
    parameters, gradients = flatten(model).numpy(), _tried(refused, gradients_of)
    _check_gradient(names, parameters, gradients)
    if len(server_shard):
        label = f"server-samples={len(server_shard)}: no gradient of the server's own"
        _tried(label, lambda: gradients.over(parameters, server_shard))


def _tried(label: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{label}: {reason(error)}") from error


def _check_parameters(names: Names, model: nn.Module) -> None:
    if not trainable(model):
        raise ConfigError(f"{names.of('model')}: expected a trainable parameter; got none")
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            raise ConfigError(
                f"{names.of('model')}: expected float32 parameters; {name} is {parameter.dtype}"
            )


def _check_passes(
    names: Names, refused: str, spec: Spec, model: nn.Module, x: Tensor, seen: Tensor
) -> Tensor:
    """The scores of a training pass, between two evaluations that have to be the same."""
    label = names.of("model")
    tried = _tried(refused, lambda: copy.deepcopy(model))
    before = {name: buffer.clone() for name, buffer in tried.named_buffers()}
    start = flatten(model)
    # At other parameters: a power iteration of spectral norm that has converged changes nothing.
    moved = start + 0.01 * torch.from_numpy(
        generator(0, "fit").standard_normal(len(start), dtype=np.float32)
    )
    with watched() as drawn:
        first = _tried(refused, lambda: _passed(tried.eval(), start, seen))
        scores = _tried(refused, lambda: _passed(tried.train(), moved, x))
    for result, batch in ((first, seen), (scores, x)):
        expected = [len(batch), spec.num_classes]
        if not isinstance(result, Tensor) or list(result.shape) != expected:
            raise ConfigError(
                f"{label}: expected scores {expected} for {len(batch)} samples of "
                f"{names.of('task')}; got {_kind(result)}"
            )
    _refuse_draws(label, drawn)
    for name, buffer in tried.named_buffers():
        if name not in before or not _same(before[name], buffer):
            owner = type(tried.get_submodule(name.rpartition(".")[0])).__name__
            raise ConfigError(
                f"{label}: a training pass changes the buffer {name} of {owner}, which no other "
                "worker would see, nor the evaluation; expected a model without memory (PyTorch's "
                "batch and instance norm lose their running statistics; spectral norm, moving "
                "averages and norms written by hand have no such form)"
            )
    if not _same(first, _tried(refused, lambda: _passed(tried.eval(), start, seen))):
        raise ConfigError(
            f"{label}: gives other scores after a training pass with the same parameters; expected "
            "a model without memory: what it keeps in an attribute, no other worker would see"
        )
    if not scores.requires_grad:
        raise ConfigError(f"{label}: expected scores that depend on a trainable parameter")
    return scores


def _passed(model: nn.Module, parameters: Tensor, x: Tensor) -> Any:
    assign(model, parameters.clone())
    return model(x.clone())


def _check_loss(names: Names, loss: Loss, scores: Tensor, labels: Tensor) -> None:
    label = names.of("loss")
    value = _tried(label, lambda: measured(loss, scores, labels, 0))
    if not torch.isfinite(value):
        raise ConfigError(f"{label}: expected a finite number at the start; got {value.item()}")
    if not value.requires_grad:
        raise ConfigError(
            f"{label}: expected a loss that follows from the scores by torch operations; got one "
            "without a gradient"
        )


def _check_gradient(names: Names, parameters: np.ndarray, gradients: Gradients) -> None:
    """Of the worker with the smallest batch, twice."""
    smallest = min(gradients.batch_sizes)
    worker = gradients.batch_sizes.index(smallest)
    every = names.of("task", "model", "loss")
    try:
        first, again = (gradients(parameters, worker, 1) for _ in range(2))
    except ConfigError:
        raise
    except Exception as error:
        if smallest == 1:
            raise ConfigError(
                f"batch-size: worker {worker} has one sample a round, which {names.of('model')} "
                f"cannot take: {reason(error)}; expected at least 2 for each worker"
            ) from error
        raise ConfigError(f"{every}: no gradient for worker {worker}: {reason(error)}") from error
    if not np.isfinite(first).all():
        raise ConfigError(
            f"{every}: the gradient of worker {worker} is not finite; expected samples without NaN "
            "or infinity, and a loss and a model that are finite on them"
        )
    if not np.array_equal(first, again):
        raise ConfigError(
            f"{every}: expected the same gradient from the same seed, worker and round; got two: "
            "keep nothing between calls, and draw from no generator of your own"
        )


def _refuse_draws(label: str, drawn: list[str]) -> None:
    if drawn:
        raise ConfigError(
            f"{label}: draws from the global generator of {' and '.join(drawn)}, which threads "
            "share; use nn.Dropout, a module for each place, and not functional dropout or the "
            "dropout=... of a recurrent or attention layer"
        )


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(torch.nan_to_num(a.detach()), torch.nan_to_num(b.detach()))


def _kind(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__
