"""Everything that is found out about one rule or one attack, as JSON values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from signfed.app.check import attack as attacks
from signfed.app.check.breakdown import WORKERS, Breakdown, bound, breakdown
from signfed.app.check.laws import LAWS
from signfed.app.check.search import Finding, examine, raised
from signfed.app.check.subject import subject_of
from signfed.app.check.table import accuracies, cost
from signfed.app.config.keys import KEYS, KIND_OF
from signfed.app.errors import ConfigError
from signfed.app.task import DataMissing
from signfed.attacks import ATTACKS, find
from signfed.attacks.core.attack import Attack
from signfed.strategies.core import own
from signfed.strategies.registry import STRATEGIES

Tell = Callable[[str], None]
LAWS_SHARE, SEARCH_SHARE = 0.3, 0.4  # of the seconds; the rest is for training
# What may be given: options of these kinds, and these keys. All else is the check's own.
TAKES = {
    "rule": (("strategy", "pre-aggregation"),
             ("strategy-options", "pre-aggregation", "server-samples")),
    "attack": (("attack",), ("attack-options",)),
}  # fmt: skip
SHRINKING = 1.5  # what a law that is broken may take, in shares of one that holds


def is_attack(name: str) -> bool:
    """Tell an attack from a rule.

    Parameters
    ----------
    name : str
        As in a run config.

    Raises
    ------
    ConfigError
        When it is neither.
    """
    if ":" in name:
        try:
            return isinstance(own.load(name, "Name"), Attack)
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if name not in ATTACKS and name not in STRATEGIES:
        raise ConfigError(
            f"{name!r}: expected a rule or an attack (see: signfed list), or your own as "
            "module:Name"
        )
    return name in ATTACKS


def check_keys(subject: str, keys: Mapping[str, Any]) -> None:
    """Refuse keys that a check sets itself: they would change one column, or its title's meaning.

    Parameters
    ----------
    subject : {"rule", "attack"}
        What is examined.
    keys : mapping
        Run-config keys; those that do not exist are left for the run config's own checks.

    Raises
    ------
    ConfigError
    """
    kinds, more = TAKES[subject]
    for key in keys:
        if key in KEYS and key not in more and KIND_OF.get(KEYS[key].owner) not in kinds:
            raise ConfigError(
                f"{key}: not for a check, which sets it itself; expected options "
                f"of the {subject} or {', '.join(more)}"
            )


def examine_rule(
    name: str, keys: Mapping[str, Any], seconds: float, laws_only: bool, tell: Tell
) -> dict[str, Any]:
    """Return what was found of a rule.

    Parameters
    ----------
    name : str
    keys : mapping
        Its options, as run-config keys.
    seconds : float
        About that long.
    laws_only : bool
        Without search and training.
    tell : callable
        Told what is going on.
    """
    check_keys("rule", keys)
    subject = subject_of(name, keys)
    share = LAWS_SHARE * seconds / len(LAWS) / SHRINKING
    found: dict[str, Any] = {"rule": name, "options": subject.keys, "laws": []}
    for law in LAWS:
        tell(f"law: {law.name}")
        found["laws"].append(law_json(examine(subject, law, share)))
    if laws_only:
        return found
    with _running(found):
        found["milliseconds"] = cost(subject)
        searched = breakdown(
            subject, SEARCH_SHARE * seconds, lambda f, at: tell(f"{f} of {WORKERS}: {at}")
        )
        found["breakdown"] = breakdown_json(searched)
        f = 3 if subject.serves(WORKERS, 3) else subject.most_byzantine(WORKERS)
        found["table"] = f"digits, {f} of {WORKERS} attack"
        found["accuracy"] = accuracies(
            subject, n_byzantine=f, on_run=lambda rule, at: tell(f"digits: {rule} under {at}")
        )
    return found


def examine_attack(
    name: str, keys: Mapping[str, Any], seconds: float, laws_only: bool, tell: Tell
) -> dict[str, Any]:
    """Return what was found of an attack.

    Parameters
    ----------
    name : str
    keys : mapping
        Its options, as run-config keys.
    seconds : float
        No run begins after that; `complete` says whether one was left out.
    laws_only : bool
        Without cosines and training.
    tell : callable
        Told what is going on.
    """
    ends = time.monotonic() + seconds
    check_keys("attack", keys)
    found: dict[str, Any] = {"attack": name, "options": dict(keys)}
    found["laws"] = attacks.keeps_its_form(name, bound(name, keys))
    if (laws_only and found["laws"]) or any(not law["holds"] for law in found["laws"][:1]):
        return found
    with _running(found):
        if laws_only:  # nothing else was tried
            attacks.accuracies(name, keys, rules=("mean",), rounds=2)
            return found
        if find(name).stage != "data":
            tell("cosines")
            found["cosine"] = attacks.bites(name, keys)
        found["table"] = f"digits, {WORKERS} workers"
        found["accuracy"], found["complete"] = attacks.accuracies(
            name, keys, ends=ends, on_run=lambda rule, at: tell(f"digits: {rule} under {at}")
        )
    return found


@contextmanager
def _running(found: dict[str, Any]) -> Iterator[None]:
    """Add a law: what is raised within belongs to what is examined, and breaks it."""
    law = {"law": "runs", "says": "it raises nothing in search and training", "holds": True}
    found["laws"].append(law)
    try:
        yield
    except (ConfigError, DataMissing):
        raise
    except Exception as error:  # whatever a user's code does
        law |= {"holds": False, "problem": raised(error)}


def law_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values.

    Parameters
    ----------
    finding : Finding
    """
    rows = None if finding.rows is None else finding.rows.tolist()
    return {
        "law": finding.law.name, "says": finding.law.says, "holds": finding.holds,
        "must": finding.law.must,
        "tried": finding.tried, "problem": finding.problem, "rows": rows,
    }  # fmt: skip


def breakdown_json(found: Breakdown) -> dict[str, Any]:
    """Return what a search found as JSON values.

    Parameters
    ----------
    found : Breakdown
    """
    taken = found.taken_by
    return {
        "workers": WORKERS, "without_attack": found.without, "most_admitted": found.most,
        "complete": found.complete,
        "taken_at": taken and taken.n_byzantine, "taken_by": taken and taken.attack,
        "worst": {
            str(f): {"attack": each.attack, "options": dict(each.options), "cosine": each.cosine}
            for f, each in sorted(found.worst.items())
        },
    }  # fmt: skip
