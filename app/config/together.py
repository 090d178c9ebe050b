"""Keys that are right alone and wrong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.strategies.core.crossover import BY_COORDINATE
from signfed.strategies.registry import STRATEGIES

PUBLISHED = ("pooled", *BY_COORDINATE)
# What does nothing -> unless this other key has one of these values.
BELONGS = {
    "lr-milestones": ("lr-schedule", ("steps",)),
    "lr-gamma": ("lr-schedule", ("steps",)),
    "sign-fd.initial-rounds": ("sign-fd.estimator", BY_COORDINATE),
    "sign-fd.initial-vote": ("sign-fd.estimator", BY_COORDINATE),
    "sign-fd.forget": ("sign-fd.estimator", PUBLISHED),
    "sign-fd.eps": ("sign-fd.estimator", PUBLISHED),
    "sign-fd.max-llr": ("sign-fd.estimator", PUBLISHED),
    "election.redundancy": ("election.code", ("bernoulli",)),
    "election.resample": ("election.code", ("bernoulli",)),
}


def check_together(values: Mapping[str, Any], keys: Shared) -> None:
    """Raise ConfigError for keys that are right alone and wrong together.

    Parameters
    ----------
    values : mapping
        Every run-config key, checked one by one.
    keys : Shared
        The shared ones among them.
    """
    if not keys.resume:  # an earlier run goes on as it was begun
        _check_schedule(keys)
        for key, why in idle(values).items():
            raise ConfigError(f"{key}: {why}")
    if keys.num_byzantine > keys.num_workers:
        raise ConfigError(
            f"num-byzantine: expected at most num-workers = {keys.num_workers}; "
            f"got {keys.num_byzantine}"
        )
    rule = STRATEGIES.get(keys.strategy)
    if rule and rule.coded and keys.worker_momentum:
        raise ConfigError(
            f"worker-momentum: expected 0 with strategy={keys.strategy!r}, whose workers send "
            f"votes, not gradients; got {keys.worker_momentum}"
        )
    if rule and rule.coded and keys.local_steps > 1:
        raise ConfigError(
            f"local-steps: expected 1 with strategy={keys.strategy!r}, whose workers vote on "
            f"gradients at one model; got {keys.local_steps}"
        )
    if rule and rule.coded and keys.fraction_train < 1:
        raise ConfigError(
            f"fraction-train: expected 1 with strategy={keys.strategy!r}, whose code counts a "
            f"missing worker as Byzantine; got {keys.fraction_train}"
        )


def idle(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys that were set and do nothing, each with the reason.

    Parameters
    ----------
    values : mapping
        Every run-config key.

    Examples
    --------
    >>> from signfed.app.config.keys import defaults
    >>> idle(defaults() | {"sign-fd.forget": 0.9})["sign-fd.forget"]
    "belongs to sign-fd.estimator='pooled', 'alg1' or 'eq17', but sign-fd.estimator is 'agreement'"
    """
    found = {}
    for key, (other, names) in BELONGS.items():
        used = KEYS[key].owner in ("", values["strategy"])  # else it is refused as another rule's
        if used and values[key] != KEYS[key].default and values[other] not in names:
            *most, last = map(repr, names)
            of = f"{', '.join(most)} or {last}" if most else last
            found[key] = f"belongs to {other}={of}, but {other} is {values[other]!r}"
    rule = STRATEGIES.get(values["strategy"])
    if rule and rule.coded and values["sign.zero"] != KEYS["sign.zero"].default:
        found["sign.zero"] = (
            f"does nothing with strategy={values['strategy']!r}, whose workers send votes; "
            "election.tie says what a tie and an exact 0 give"
        )
    worker, workers = values["monna.trusted"], values["num-workers"]
    if values["strategy"] == "monna" and worker.isdecimal() and int(worker) >= workers:
        found["monna.trusted"] = (
            f"expected the id of a worker, below num-workers = {workers}; got {worker!r}"
        )
    return found


def _check_schedule(keys: Shared) -> None:
    if keys.lr_schedule == "steps" and not keys.lr_milestones:
        raise ConfigError(
            "lr-milestones: expected with lr-schedule='steps', such as '40,80'; got none"
        )
