"""A rule's place: its cost, and its accuracy on digits under five attacks, beside two others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from signfed.app.check.subject import Subject
from signfed.app.config.usual import usual_keys
from signfed.app.redteam.scores import final_scores
from signfed.strategies.server.strategy import RobustStrategy

BESIDE = ("sign-mv", "median")
ATTACKS: dict[str, Mapping[str, Any]] = {
    "none": {"attack": "none"},
    "sign-inversion": {"attack": "sign-inversion"},
    "lie": {"attack": "lie", "lie.z": 1.5},
    "ipm": {"attack": "ipm", "ipm.epsilon": 2.0},
    "trusted-bloc": {"attack": "trusted-bloc"},
    "label-flip": {"attack": "label-flip"},
}
SIZE, REPEATS = (15, 100_000), 5


def cost(subject: Subject) -> dict[str, float]:
    """Return the milliseconds of a call at 15 x 100,000, the median; in turns with the others.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    dict
        Name -> milliseconds.
    """
    rows = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    subjects = {name: Subject(name) for name in BESIDE} | {subject.name: subject}
    rules = {name: each.rule(SIZE[0], 3 if each.serves(SIZE[0], 3) else 0)
             for name, each in subjects.items()}  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in rules}
    for _ in range(REPEATS + 1):  # the first one warms up
        for name, rule in rules.items():
            own = subjects[name].references(rows)
            started = time.perf_counter()
            rule(rows, **own)
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: float(np.median(found[1:])) for name, found in taken.items()}


def on_digits(rounds: int, rule: RobustStrategy) -> dict[str, Any]:
    """Return the run config of a trial on digits, but for its rule's name and its attack.

    Parameters
    ----------
    rounds : int
    rule : RobustStrategy
        That is tried.
    """
    return {
        "task": "digits", "device": "cpu", "num-rounds": rounds, "evaluate-every": rounds,
        **usual_keys(rule),
    }  # fmt: skip


def accuracies(
    subject: Subject,
    *,
    n_byzantine: int = 3,
    rounds: int = 100,
    on_run: Callable[[str, str], None] = lambda rule, attack: None,
) -> dict[str, dict[str, float]]:
    """Return the final test accuracy on digits, rule by attack; 15 workers, seed 0.

    Parameters
    ----------
    subject : Subject
    n_byzantine : int
        Byzantine workers.
    rounds : int
    on_run : callable
        Told what runs.
    """
    subjects = [*(Subject(name) for name in BESIDE if name != subject.name), subject]
    found: dict[str, dict[str, float]] = {}
    for each in subjects:
        keys = {**on_digits(rounds, each.rule()), **each.keys, "strategy": each.name,
                "num-byzantine": n_byzantine}  # fmt: skip
        for name, attack in ATTACKS.items():
            on_run(each.name, name)
            found.setdefault(each.name, {})[name] = final_scores({**keys, **attack})[0]
    return found
