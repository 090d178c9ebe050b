"""What workers say of the model by their own samples, where the server has no test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from signfed.app.config.run_config import RunConfig
from signfed.app.task import Problem
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.claims import medians


def is_evaluated(config: RunConfig, server_round: int) -> bool:
    """Tell whether a round is one in which the model is evaluated: every so many, and the last.

    Parameters
    ----------
    config : RunConfig
        A checked run config.
    server_round : int
        Number of the round.
    """
    return server_round % config.evaluate_every == 0 or server_round == config.num_rounds


def claimed(
    config: RunConfig,
    problem: Problem,
    parameters: Tensor,
    workers: Sequence[int],
    server_round: int,
) -> list[float]:
    """Return what workers say of the model of a round: its accuracy on their own samples.

    Parameters
    ----------
    config : RunConfig
        A checked run config.
    problem : Problem
        What they compute on.
    parameters : Tensor, float32 [N]
        The model of the round.
    workers : sequence of int
        Their ids.
    server_round : int
        Number of the round.

    Returns
    -------
    list of float
        One a worker; none in rounds that are not evaluated, where the server has a test set.
    """
    if problem.tested or not is_evaluated(config, server_round):
        return []
    return [problem.own_accuracy(parameters, worker) for worker in workers]


def claims(
    config: RunConfig,
    problem: Problem,
    parameters: Tensor,
    updates: Updates | None,
    server_round: int,
) -> dict[str, dict[str, Any]]:
    """Return what a server makes of the claims of a round, for its record.

    Parameters
    ----------
    config, problem, parameters, server_round
        As for `claimed`.
    updates : Updates or None
        Of the workers with a valid row.
    """
    who = updates.ids.tolist() if updates else []
    said = claimed(config, problem, parameters, who, server_round)
    return {"evaluate": medians([{"accuracy": share} for share in said])} if said else {}
