"""A step that the CPU does not wait for: what is to be known of it comes with the next reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from signfed.strategies.core.ledger import Ledger
from signfed.strategies.ops.values import all_finite
from signfed.strategies.server.optimizer import Descent
from signfed.strategies.server.record import RoundRecord

Settled = Callable[[bool], None]  # whether the model moved, once that is known


def owe_step(
    ledger: Ledger,
    descent: Descent,
    direction: Tensor,
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
    settled : callable
        Told when the ledger is read.

    Returns
    -------
    Tensor, float32 [N]
        The new parameters: the old ones where the direction is not finite.
    """
    finite = all_finite(direction)
    parameters = descent.take(direction, only_if=finite)

    def settle(moved: Tensor) -> None:
        if not moved:
            descent.not_taken()
        settled(bool(moved))

    ledger.owe(finite, settle)
    return parameters


def owe_scores(ledger: Ledger, scores: Mapping[str, float | Tensor], record: RoundRecord) -> None:
    """Owe the scores of a round.

    Parameters
    ----------
    ledger : Ledger
        Where they are owed.
    scores : mapping
        By name; tensors [] where the device alone knows them yet.
    record : RoundRecord
        Of the round: gets all of them when the ledger is read, unless it took no step.
    """
    late = {name: value for name, value in scores.items() if isinstance(value, Tensor)}
    at_once = {name: float(x) for name, x in scores.items() if name not in late}
    values = [value.to(torch.float64) for value in late.values()]

    def settle(found: Tensor) -> None:
        if not record.skipped:
            record.add_scores(at_once | dict(zip(late, found.tolist(), strict=True)))

    ledger.owe(torch.stack(values) if values else torch.empty(0), settle)
