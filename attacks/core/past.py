"""What a Byzantine worker knows of the rounds before: public to all workers, or kept by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from signfed.attacks.core.arrays import is_tensor, like, namespace


@dataclass(frozen=True)
class Past:
    """The model of the round, what the server did since the worker's last attack, and a memory.

    Every worker gets the models, so this needs no knowledge of others.

    Attributes
    ----------
    model : ndarray, float32 [N]
        The parameters that the round starts from; not to be written to.
    direction : ndarray, float32 [N]
        (x' - x) / lr, with x the model, x' the one at the worker's last attack, and lr the learning
        rate that the schedule gives for the last round, as if none had been skipped. Where the
        worker attacked in the last round and the server's step has neither momentum nor weight
        decay it is what the rule returned, up to rounding. 0 before the worker's first attack.
    memory : dict of str to ndarray
        What the attack kept. Assigning to a name keeps an array for the next round; arrays are
        replaced, not changed.
    secret : int
        A number that all Byzantine workers of a run share, the same in all rounds.

    Examples
    --------
    >>> past = Past.first(np.zeros(2, np.float32))
    >>> past.memory["mask"] = np.array([True, False])
    >>> past.direction
    array([0., 0.], dtype=float32)
    """

    model: np.ndarray
    direction: np.ndarray
    memory: dict[str, np.ndarray] = field(default_factory=dict)
    secret: int = 0

    @classmethod
    def first(cls, model: np.ndarray, secret: int = 0) -> Past:
        """Return what a worker knows at its first attack: the model alone.

        Parameters
        ----------
        model : ndarray, float32 [N]
            The parameters of the round.
        secret : int
            The number that all Byzantine workers share.
        """
        return cls(model, namespace(model).zeros_like(model), {}, secret)


def recalled(
    kept: Mapping[str, np.ndarray], owner: str, model: np.ndarray, lr: float, secret: int
) -> Past:
    """Return the past of a worker, read out of what `remembered` made for its memory.

    Parameters
    ----------
    kept : mapping of str to ndarray
        All that the worker keeps.
    owner : str
        Name of the attack, whose memory it is.
    model : ndarray or Tensor, float32 [N]
        The parameters of the round. What the memory holds, but for single numbers, is moved to
        where a tensor lies.
    lr : float
        Learning rate of the server's last step, > 0.
    secret : int
        The number that all Byzantine workers share.

    Examples
    --------
    >>> kept = remembered(Past.first(np.array([1.0, 1.0])), "mine")
    >>> recalled(kept, "mine", np.array([0.0, 3.0]), 0.5, 0).direction
    array([ 2., -4.])
    """
    if not is_tensor(model):
        model = model.view()
        model.flags.writeable = False
    if "attack.model" not in kept:
        return Past.first(model, secret)
    prefix = f"attack.{owner}."
    memory = {k.removeprefix(prefix): array for k, array in kept.items() if k.startswith(prefix)}
    if is_tensor(model):  # a state that was read again holds arrays
        memory = {name: _beside(array, model) for name, array in memory.items()}
    rate = lr if is_tensor(model) else model.dtype.type(lr)
    direction = (like(kept["attack.model"], model) - model) / rate
    return Past(model, direction, memory, secret)


def remembered(past: Past, owner: str) -> dict[str, np.ndarray]:
    """Return what a worker keeps after a round, under names of its own among what it keeps.

    Parameters
    ----------
    past : Past
        As the attack left it.
    owner : str
        Name of the attack.
    """
    memory = {
        f"attack.{owner}.{name}": kept if is_tensor(kept) else np.asarray(kept)
        for name, kept in past.memory.items()
    }
    return memory | {"attack.model": namespace(past.model).copy(past.model)}


def _beside(kept: Any, model: Any) -> Any:
    """As a tensor where the model lies; a single number stays on the CPU, to be read at once."""
    if is_tensor(kept) or np.ndim(kept):
        return like(kept, model)
    import torch

    return torch.as_tensor(kept)
