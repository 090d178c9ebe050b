"""Attacks by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from signfed.attacks.byzmean import byzmean
from signfed.attacks.core.rows import finite, mean
from signfed.attacks.core.view import Attack, View, knows
from signfed.attacks.directional import directional
from signfed.attacks.filter_aware import filter_aware
from signfed.attacks.gaussian import gaussian, noise, random
from signfed.attacks.ipm import ipm
from signfed.attacks.label_flip import label_flip
from signfed.attacks.lie import lie
from signfed.attacks.mimic import mimic
from signfed.attacks.min_max import min_max, min_sum
from signfed.attacks.none import none
from signfed.attacks.omniscient import omniscient
from signfed.attacks.reverse import reverse_scaling, sign_flip
from signfed.attacks.sign_inversion import sign_inversion
from signfed.attacks.sleeper import sleeper
from signfed.attacks.stochastic_sign_flip import stochastic_sign_flip
from signfed.attacks.time_varying import time_varying
from signfed.attacks.votes import colluding_majority, vote_aware
from signfed.attacks.weight_aware import weight_aware
from signfed.strategies.core import own

ATTACKS: dict[str, Attack] = {
    "none": none,
    "sign-inversion": sign_inversion,
    "stochastic-sign-flip": stochastic_sign_flip,
    "gaussian": gaussian,
    "random": random,
    "noise": noise,
    "sign-flip": sign_flip,
    "reverse-scaling": reverse_scaling,
    "label-flip": label_flip,
    "lie": lie,
    "byzmean": byzmean,
    "min-max": min_max,
    "min-sum": min_sum,
    "ipm": ipm,
    "mimic": mimic,
    "omniscient": omniscient,
    "colluding-majority": colluding_majority,
    "vote-aware": vote_aware,
    "weight-aware": weight_aware,
    "filter-aware": filter_aware,
    "directional": directional,
    "sleeper": sleeper,
    "time-varying": time_varying,
}


def find(name: str) -> Attack:
    """The attack of that name, or the user's own as module:function. Raises ValueError."""
    if name in ATTACKS:
        return ATTACKS[name]
    if ":" not in name:
        raise ValueError(
            f"unknown attack {name!r}; expected one of {', '.join(ATTACKS)}, or your own as "
            "module:function"
        )
    found = own.load(name, "function")
    if not isinstance(found, Attack):
        raise ValueError(f"{name}: expected a function under @attack(knowledge=..., stage=...)")
    return found


def build(name: str, **options: Any) -> Attack:
    """The attack with its options bound, and those of the attacks that it is made of.

    An option that names attacks ("lie", "lie,ipm") becomes a tuple of them. What is not the
    attack's own option goes to the parts that have it, `**{"lie.z": 1.0}` to `lie` alone.
    Raises ValueError for a name, TypeError for an option that there is not.
    """
    used: set[str] = set()
    built = _build(name, options, used)
    if unknown := sorted(set(options) - used):
        expected = ", ".join(built.arguments) or "none"
        raise TypeError(f"attack {name!r} has no option {', '.join(unknown)}; expected {expected}")
    return built


def _build(name: str, options: Mapping[str, Any], used: set[str]) -> Attack:
    """used: gets the options that found an owner."""
    chosen = find(name)
    own, others = {}, {}
    for key, value in options.items():
        argument = key.removeprefix(f"{name}.")
        if argument in chosen.arguments:
            own[argument] = value
            used.add(key)
        else:
            others[key] = value
    for part in chosen.parts:
        names = str(own.get(part, chosen.arguments[part])).split(",")
        own[part] = tuple(_build(each.strip(), others, used) for each in names)
    return chosen.bind(**own)


def craft(
    name: str,
    own: np.ndarray,
    honest: np.ndarray | None = None,
    *,
    n_total: int,
    seed: int,
    server_round: int = 1,
    truth: np.ndarray | None = None,
    findings: Mapping[str, Any] | None = None,
    ids: Sequence[int] | None = None,
    honest_ids: Sequence[int] | None = None,
    n_classes: int | None = None,
    **options: object,
) -> np.ndarray:
    """One call of a named attack on arrays: own [b, N] (and honest [h, N]) -> crafted [b, N].

    own: float32 [b, N], what the b attackers would have sent honestly. Not changed. For an attack
        on the data, int64 labels.
    honest: float32 [h, N]; passed on only to an attack that declared to need it, as are truth
        [N] (left out: the mean of the honest rows), findings and n_classes.
    ids, honest_ids: the workers' numbers in findings; left out: 0..b-1, and the h that follow.
    n_total: number of workers, attackers included.
    seed: row i draws from a generator of (seed, i).
    Raises ValueError for an unknown name, an option out of its range, or missing honest rows.
    """
    ids = tuple(range(len(own)) if ids is None else ids)
    chosen, active = build(name, **options).at(server_round, seed, ids)
    omniscient = knows(chosen.knowledge, "omniscient")
    if omniscient and honest is None:
        raise ValueError(f"attack {name!r} needs the honest rows: pass honest=[h, N]")
    if chosen.truth and truth is None:
        truth = mean(finite(honest)).astype(np.float32)
    crafted, rows = own.copy(), [ids.index(each) for each in active]
    if omniscient and honest_ids is None:
        first = max(ids, default=-1) + 1
        honest_ids = range(first, first + len(honest))
    if omniscient and len(active) < len(ids):  # who sits this round out is honest
        honest = np.concatenate([honest, np.delete(own, rows, axis=0)])
        honest_ids = (*honest_ids, *(each for each in ids if each not in active))
    view = View(
        own[rows],
        tuple(np.random.default_rng([seed, row]) for row in rows),
        n_total,
        server_round=server_round,
        honest=honest if omniscient else None,
        truth=truth if chosen.truth else None,
        findings=(findings or {}) if chosen.knowledge == "server" else None,
        ids=active if chosen.knowledge == "server" else None,
        honest_ids=honest_ids if chosen.knowledge == "server" else None,
        n_classes=n_classes if chosen.stage == "data" else None,
    )
    crafted[rows] = chosen(view)
    return crafted
