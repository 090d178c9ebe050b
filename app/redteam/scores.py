"""One run without a folder: what it comes to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from signfed.app.config.knowledge import built
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.quiet import without_warnings
from signfed.app.engines.run import Run
from signfed.app.task import problem_of
from signfed.attacks import Attack
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.strategy import RobustStrategy

LOWEST = (0.0, -1e300)  # accuracy; minus the loss, where there is no accuracy


def final_scores(
    config: Mapping[str, Any], rule: RobustStrategy | None = None, attack: Attack | None = None
) -> tuple[float, float | None]:
    """Return the final test accuracy, and the success of a backdoor, of a run without a folder.

    Minus the loss where there is no accuracy. The lowest values when the run could not end because
    the model diverged.

    Parameters
    ----------
    config : mapping
        Run config.
    rule : RobustStrategy, optional
        In place of the one that the config names.
    attack : Attack, optional
        In place of the one that the config names.

    Returns
    -------
    accuracy : float
    success : float or None
        In [0, 1]; None for any attack but a backdoor.
    """
    checked = parse(config)
    problem = problem_of(checked.workload)
    records: list[dict[str, Any]] = []

    def keep(record: RoundRecord, state: object) -> None:
        records.append(record.to_json())

    backdoor = built(checked.attack).trigger is not None
    try:
        with one_thread(), without_warnings():
            rule = rule or build_strategy(checked)
            local_engine(Run(checked, rule, problem, None, keep, attack=attack))
    except FederationError:
        return LOWEST[problem.num_classes is None], 0.0 if backdoor else None
    last = records[-1]
    accuracy = last["test_accuracy"] if "test_accuracy" in last else -last["test_loss"]
    return accuracy if math.isfinite(accuracy) else LOWEST[True], last.get("backdoor_success")
