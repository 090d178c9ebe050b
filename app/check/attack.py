"""What an attack is worth: whether it keeps the form of one, and how hard it bites."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from signfed.app.check.breakdown import WORKERS, alignment, rounds_of_gradients
from signfed.app.check.search import raised
from signfed.app.check.subject import Subject
from signfed.app.check.table import on_digits
from signfed.app.redteam.scores import final_scores
from signfed.attacks import craft, find
from signfed.strategies.core.options import Value

RULES = ("mean", "sign-mv", "sign-fd", "median", "multi-krum")
BYZANTINE = (3, 6)


def keeps_its_form(name: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Try what each attack on rows has to keep; nothing for an attack on the data.

    Parameters
    ----------
    name : str
        An attack, or `module:function`.
    options : mapping
        Of the attack, as `bound` returns them.

    Returns
    -------
    list of dict
        `law`, `says`, `holds`, and `problem` where it raised something.
    """
    attack = find(name)
    if attack.stage == "data" or attack.past or attack.rule:
        return []
    _, rows = next(rounds_of_gradients())
    own, honest = rows[:4], rows[4:]

    def send() -> np.ndarray:
        sent = craft(name, own, honest, n_total=WORKERS, seed=0, server_round=3, **options)
        return np.asarray(sent)

    says = "it raises nothing and returns a row for each of its workers"
    try:
        first, second = send(), send()
    except Exception as error:  # whatever a user's attack does
        return [{"law": "answers", "says": says, "holds": False, "problem": raised(error)}]
    found = [
        ("answers", says, True, ""),
        ("repeatable", "the same round and seed give the same rows",
         first.tobytes() == second.tobytes(), "draw from view.generators, one a worker"),
        ("does something", "what is sent is not what was honest",
         name == "none" or not np.array_equal(first, own), "it sent the rows of view.own"),
    ]  # fmt: skip
    return [
        {"law": law, "says": says, "holds": bool(holds)} | ({} if holds else {"problem": problem})
        for law, says, holds, problem in found
    ]


def bites(name: str, options: Mapping[str, Value]) -> dict[str, dict[int, float]]:
    """Return the cosine of each rule's direction with the true gradient, rule -> f -> cosine.

    Parameters
    ----------
    name : str
        An attack on rows.
    options : mapping
        Of the attack, as run-config keys.
    """
    found: dict[str, dict[int, float]] = {}
    for rule in RULES:
        subject = Subject(rule)
        for f in (0, *BYZANTINE):
            if not subject.serves(WORKERS, f):
                continue
            attack = name if f else "none"
            found.setdefault(rule, {})[f] = alignment(
                partial(subject.rule, WORKERS, f), attack, options, f
            )
    return found


def accuracies(
    name: str,
    keys: Mapping[str, Any],
    *,
    rules: Sequence[str] = RULES,
    rounds: int = 100,
    ends: float = math.inf,
    on_run: Callable[[str, str], None] = lambda rule, attack: None,
) -> tuple[dict[str, dict[str, float]], bool]:
    """Return the final accuracy on digits, rule by number of attackers; 15 workers, seed 0.

    And whether all was run in the time.

    Parameters
    ----------
    name : str
        The attack.
    keys : mapping
        Its run-config keys.
    rules : sequence of str
    rounds : int
    ends : float
        No run begins after that, by `time.monotonic`; the first one always does.
    on_run : callable
        Told what runs.
    """
    found: dict[str, dict[str, float]] = {}
    for rule in rules:
        subject = Subject(rule)
        common = {**on_digits(rounds, subject.rule()), "strategy": rule}
        runs = {"none attack": {"num-byzantine": BYZANTINE[0], "attack": "none"}}
        for f in BYZANTINE:
            if subject.serves(WORKERS, f):
                runs[f"{f} attack"] = {"num-byzantine": f, "attack": name, **keys}
        for label, run in runs.items():
            if found and time.monotonic() > ends:
                return found, False
            on_run(rule, label)
            found.setdefault(rule, {})[label] = final_scores({**common, **run})[0]
    return found, True
