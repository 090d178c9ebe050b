"""A step that the CPU does not wait for: what is to be known of it comes with the next reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from signfed.strategies.core.ledger import Ledger
from signfed.strategies.server.optimizer import Descent

# (whether the model moved, the round's scores), once both are known
Settled = Callable[[bool, dict[str, float]], None]


def owe_step(
    ledger: Ledger,
    descent: Descent,
    direction: Tensor,
    scores: Mapping[str, float | Tensor],
    settled: Settled,
) -> Tensor:
    """Take a step if the direction is finite, as the device finds by itself.

    Parameters
    ----------
    ledger : Ledger
        Where it is owed whether the step was taken.
    descent : Descent
        The model; it is changed.
    direction : Tensor, float32 [N]
        Of the rule.
    scores : mapping
        Of the round, by name; tensors [] where the device alone knows them yet.
    settled : callable
        Told when the ledger is read.

    Returns
    -------
    Tensor, float32 [N]
        The new parameters: the old ones where the direction is not finite.
    """
    finite = torch.isfinite(torch.linalg.vector_norm(direction, torch.inf))
    parameters = descent.take(direction, only_if=finite)
    late = {name: value for name, value in scores.items() if isinstance(value, Tensor)}
    at_once = {name: float(x) for name, x in scores.items() if name not in late}

    def settle(values: Tensor) -> None:
        moved, *numbers = values.tolist()
        if not moved:
            descent.not_taken()
        settled(bool(moved), at_once | dict(zip(late, numbers, strict=True)))

    ledger.owe(torch.stack([x.to(torch.float64) for x in (finite, *late.values())]), settle)
    return parameters
