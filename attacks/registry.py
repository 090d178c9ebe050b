"""Attacks by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signfed.attacks.backdoor import backdoor
from signfed.attacks.byzmean import byzmean
from signfed.attacks.colluding_majority import colluding_majority
from signfed.attacks.core.attack import Attack
from signfed.attacks.directional import directional
from signfed.attacks.filter_aware import filter_aware
from signfed.attacks.gaussian import gaussian
from signfed.attacks.hybrid_sparse import hybrid_sparse
from signfed.attacks.inf import inf
from signfed.attacks.inversion_aware import inversion_aware
from signfed.attacks.ipm import ipm
from signfed.attacks.label_flip import label_flip
from signfed.attacks.lie import lie
from signfed.attacks.mimic import mimic
from signfed.attacks.min_max import min_max
from signfed.attacks.min_sum import min_sum
from signfed.attacks.noise import noise
from signfed.attacks.none import none
from signfed.attacks.omniscient import omniscient
from signfed.attacks.opt_alie import opt_alie
from signfed.attacks.opt_ipm import opt_ipm
from signfed.attacks.poisoned_fl import poisoned_fl
from signfed.attacks.random import random
from signfed.attacks.reverse_scaling import reverse_scaling
from signfed.attacks.rop import rop
from signfed.attacks.sign_flip import sign_flip
from signfed.attacks.sign_inversion import sign_inversion
from signfed.attacks.sleeper import sleeper
from signfed.attacks.stochastic_sign_flip import stochastic_sign_flip
from signfed.attacks.time_varying import time_varying
from signfed.attacks.trusted_bloc import trusted_bloc
from signfed.attacks.vem import vem
from signfed.attacks.vote_aware import vote_aware
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
    "inf": inf,
    "label-flip": label_flip,
    "backdoor": backdoor,
    "lie": lie,
    "byzmean": byzmean,
    "min-max": min_max,
    "min-sum": min_sum,
    "ipm": ipm,
    "opt-alie": opt_alie,
    "opt-ipm": opt_ipm,
    "rop": rop,
    "hybrid-sparse": hybrid_sparse,
    "mimic": mimic,
    "omniscient": omniscient,
    "colluding-majority": colluding_majority,
    "trusted-bloc": trusted_bloc,
    "vem": vem,
    "vote-aware": vote_aware,
    "inversion-aware": inversion_aware,
    "weight-aware": weight_aware,
    "filter-aware": filter_aware,
    "directional": directional,
    "poisoned-fl": poisoned_fl,
    "sleeper": sleeper,
    "time-varying": time_varying,
}


def find(name: str) -> Attack:
    """Return the attack of that name.

    Parameters
    ----------
    name : str
        As in the configuration, or `module:function` for a user's own.

    Raises
    ------
    ValueError
        When there is no such attack.
    """
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
    """Return the attack with its options, and those of the attacks that it is made of.

    Parameters
    ----------
    name : str
        As in the configuration, or `module:function`.
    **options
        An option that names attacks ("lie", "lie,ipm") is bound to those attacks. What is not an
        option of this attack goes to its parts that have it; `**{"lie.z": 1.0}` to `lie` alone.

    Raises
    ------
    ValueError
        For an unknown name, or a value outside its range.
    TypeError
        For an option that neither the attack nor its parts have.

    Examples
    --------
    >>> build("time-varying", attacks="none,lie", z=1.5).knowledge
    'omniscient'
    """
    used: set[str] = set()
    built = _build(name, options, used)
    if unknown := sorted(set(options) - used):
        expected = ", ".join(built.arguments) or "none"
        raise TypeError(f"attack {name!r} has no option {', '.join(unknown)}; expected {expected}")
    return built


def _build(name: str, options: Mapping[str, Any], used: set[str]) -> Attack:
    """Build one attack; options that found an owner are added to `used`."""
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
