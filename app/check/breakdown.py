"""How many colluders take a rule, and with which attack of the package."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from signfed.app.check.subject import Subject
from signfed.app.config.run_config import parse
from signfed.app.redteam.space import first_trials
from signfed.attacks import ATTACKS, Findings, Past, craft
from signfed.attacks.core.schedule import Schedule
from signfed.strategies.core.options import Value

WORKERS, COORDINATES, ROUNDS, JUDGED = 15, 300, 12, 4
NOISE = 1.5  # standard deviation of a gradient's entry around the true one, of deviation 1
FIRST = 5  # honest rounds of a bloc that turns, so that there is a time after them
# Attacks on rows, but for those that are another one in each round.
ATTACKERS = tuple(
    name for name, each in ATTACKS.items()
    if each.stage != "data" and name != "none" and not isinstance(each, Schedule)
)  # fmt: skip


@dataclass(frozen=True)
class Alignment:
    """How far a rule still goes the right way under one attack.

    Attributes
    ----------
    attack : str
    options : mapping
        The attack's, as run-config keys.
    n_byzantine : int
    cosine : float
        Of the direction and the true gradient, mean over the last rounds; below 0 it goes the
        wrong way.
    """

    attack: str
    options: Mapping[str, Value]
    n_byzantine: int
    cosine: float


@dataclass(frozen=True)
class Breakdown:
    """What the search found.

    Attributes
    ----------
    without : float
        The cosine without an attack.
    most : int
        The largest f that the rule admits.
    worst : dict of int to Alignment
        f -> the attack that left least, for each f that was searched.
    complete : bool
        Whether the search came to its end in its time.
    """

    without: float
    most: int
    worst: dict[int, Alignment]
    complete: bool

    @property
    def taken_by(self) -> Alignment | None:
        """The attack with the smallest f that turns the rule round; None where none does."""
        taken = [found for _, found in sorted(self.worst.items()) if found.cosine <= 0]
        return taken[0] if taken else None


def rounds_of_gradients() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the true gradient and what 15 honest workers make of it, float32 [N] and [15, N]."""
    random = np.random.default_rng(0)
    truth = random.standard_normal(COORDINATES).astype(np.float32)
    for _ in range(ROUNDS):
        noise = random.standard_normal((WORKERS, COORDINATES))
        yield truth, (truth + NOISE * noise).astype(np.float32)


def alignment(
    make: Callable[[], Callable[..., Any]],
    attack: str,
    options: Mapping[str, Value],
    n_byzantine: int,
    *,
    reference: bool = False,
) -> float:
    """Return the cosine of the rule's direction and the true gradient under an attack.

    Parameters
    ----------
    make : callable
        Makes a rule that can be called on rows, in one round after another.
    attack : str
    options : mapping
        The attack's, as run-config keys: "lie.z", "attack-options".
    n_byzantine : int
        The first f of 15 workers.
    reference : bool
        Whether the rule gets a gradient of the server's own.
    """
    rule, found = make(), []
    own_options = bound(attack, options) if n_byzantine else {}
    past: Past | None = None
    direction = np.zeros(COORDINATES, np.float32)
    for t, (truth, rows) in enumerate(rounds_of_gradients(), 1):
        own = {"reference": rows[-1]} if reference else {}
        if n_byzantine:
            past = Past(-direction, direction, past.memory if past else {}, 7)

            def ask(matrix: np.ndarray, own: dict[str, Any] = own, t: int = t) -> np.ndarray:
                return np.asarray(deepcopy(rule)(matrix, server_round=t, **own))

            sent = craft(
                attack, rows[:n_byzantine], rows[n_byzantine:], n_total=WORKERS, seed=0,
                server_round=t, truth=truth, past=past, rule=ask, findings=_known(rule),
                **own_options,
            )  # fmt: skip
            rows = np.concatenate([np.asarray(sent), rows[n_byzantine:]])
        direction = np.asarray(rule(rows, server_round=t, **own))
        length = float(np.linalg.norm(direction) * np.linalg.norm(truth))
        found.append(float(direction @ truth) / length if length and np.isfinite(length) else 0.0)
    return float(np.mean(found[-JUDGED:]))


def bound(attack: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an attack and of its parts, as a run binds them: "z_max", "lie.z".

    Parameters
    ----------
    attack : str
        Its name, or `module:function`.
    keys : mapping
        Run-config keys: its options.

    Raises
    ------
    ConfigError
        For an option that it does not have, or a value out of range.
    """
    run = {"num-workers": WORKERS, "num-byzantine": 1, **keys, "attack": attack}
    return dict(parse(run).attack.options)


def _known(rule: Any) -> Findings:
    """What the rule found in the last round, for an attack that knows it."""
    return Findings.from_record(rule.diagnostics())


def trials(attack: str) -> list[dict[str, Value]]:
    """Return the options of an attack that are tried.

    Parameters
    ----------
    attack : str
    """
    if attack == "trusted-bloc":
        flips: list[dict[str, Value]] = [{"trusted-bloc.flip": flip} for flip in (0.0, 0.2)]
        return [{"trusted-bloc.rounds": FIRST, **point} for point in flips]
    return first_trials(attack, 2)


def breakdown(
    subject: Subject, seconds: float, on_attack: Callable[[int, str], None] = lambda f, a: None
) -> Breakdown:
    """Search for the smallest f at which an attack of the package turns the rule round.

    The largest f that the rule admits comes first; where it is taken, halving in on the smallest:
    more colluders are taken to do no less. An f is done at the first attack that takes it.

    Parameters
    ----------
    subject : Subject
    seconds : float
        At most about that long.
    on_attack : callable
        Told what is tried.

    Returns
    -------
    Breakdown
    """
    ends, order = time.monotonic() + seconds, list(ATTACKERS)
    reference, most = subject.needs_reference, subject.most_byzantine(WORKERS)
    without = alignment(partial(subject.rule, WORKERS, 0), "none", {}, 0, reference=reference)
    worst: dict[int, Alignment] = {}
    free, taken = 0, most + 1
    f = most
    while free < f < taken:
        least: Alignment | None = None
        for attack in list(order):
            on_attack(f, attack)
            for options in trials(attack):
                if time.monotonic() > ends:
                    return Breakdown(without, most, worst, complete=False)
                try:
                    cosine = alignment(
                        partial(subject.rule, WORKERS, f), attack, options, f,
                        reference=reference,
                    )  # fmt: skip
                except ValueError:  # weight-aware against a rule that has no weights
                    continue
                if least is None or cosine < least.cosine:
                    least = Alignment(attack, options, f, cosine)
            if least and least.cosine <= 0:
                break
        if least is None:
            break
        worst[f] = least
        order.remove(least.attack)
        order.insert(0, least.attack)  # it will do it again, sooner
        free, taken = (free, f) if least.cosine <= 0 else (f, taken)
        f = (free + taken) // 2
    return Breakdown(without, most, worst, complete=True)
