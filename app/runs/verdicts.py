"""Whom a rule accepted in a round, and whom it rejected: read from a line of `rounds.jsonl`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from signfed.attacks import Findings
from signfed.strategies.server.record import FIELDS

ACCEPTED, REJECTED, DROPPED, NO_VERDICT = "accepted", "rejected", "dropped", "no verdict"


def accepted_in(findings: Findings) -> frozenset[int] | None:
    """Return the workers that a rule accepted; None where it does not say.

    >>> accepted_in(Findings(weights={0: 0.1, 1: 0.45, 2: 0.45}))
    frozenset({1, 2})

    Parameters
    ----------
    findings : Findings
        `accepted`; without it `weights`, where a worker counts as accepted from half of an equal
        share on.
    """
    if findings.accepted is not None or not findings.weights:
        return findings.accepted
    least = 0.5 / len(findings.weights)
    return frozenset(w for w, share in findings.weights.items() if share >= least)


def standings(line: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    """Return the rule's numbers of each worker in a round, by the rule's own names.

    >>> standings({"round": 3, "crossover": {"0": 0.8, "1": None}, "accepted": [1]})
    {'crossover': {0: 0.8}}

    Parameters
    ----------
    line : mapping
        Of `rounds.jsonl`.
    """
    found: dict[str, dict[int, float]] = {}
    for name, values in line.items():
        if name in FIELDS or not isinstance(values, Mapping):
            continue
        if all(str(worker).isdecimal() for worker in values):
            numbers = {int(w): v for w, v in values.items() if isinstance(v, int | float)}
            if numbers:
                found[name] = numbers
    return found


def verdicts(line: Mapping[str, Any], workers: Collection[int]) -> dict[int, str]:
    """Return what became of each worker in a round.

    Parameters
    ----------
    line : mapping
        Of `rounds.jsonl`.
    workers : collection of int
        All workers of the run.

    Returns
    -------
    dict
        Worker -> "accepted", "rejected", "dropped" (no valid row) or, where the rule names nobody,
        "no verdict". A worker that the round did not ask is left out.

    Examples
    --------
    >>> line = {"received": 3, "dropped": {"no-reply": [3]}, "accepted": [0, 1]}
    >>> verdicts(line, range(4))
    {0: 'accepted', 1: 'accepted', 2: 'rejected', 3: 'dropped'}
    """
    dropped = {worker for ids in line.get("dropped", {}).values() for worker in ids}
    accepted = accepted_in(Findings.from_record(line))
    named = {worker for numbers in standings(line).values() for worker in numbers}
    if line.get("received", 0) + len(dropped) >= len(workers):
        named = set(workers)
    silent = accepted is None or "broken_assumption" in line or "skipped" in line
    found: dict[int, str] = {}
    for worker in sorted(named | (accepted or set()) | dropped):
        if worker in dropped:
            found[worker] = DROPPED
        elif silent:
            found[worker] = NO_VERDICT
        else:
            found[worker] = ACCEPTED if worker in (accepted or ()) else REJECTED
    return found
