"""Trials of attacks against rules, by the local engine, over all cores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

from signfed.app.config.keys import KEYS, KIND_OF
from signfed.app.config.pairs import read_pairs
from signfed.app.config.plugins import made_of
from signfed.app.engines.prepare import check, check_loaded
from signfed.app.engines.signals import end_at_once, unheard
from signfed.app.errors import ConfigError
from signfed.app.redteam.scores import final_scores
from signfed.app.redteam.space import first_trials, next_trials
from signfed.app.task import problem_of
from signfed.app.task.own_folders import HELD_OUT
from signfed.strategies.core.options import Value
from signfed.strategies.ops.threads import cores

SEARCHED = ("strategy", "attack")  # kinds whose names a red team sets itself


@dataclass(frozen=True)
class Trial:
    """Final scores of one rule under one attack with these parameters, mean over seeds.

    accuracy: on the test set; success: of a backdoor, None for any other attack.
    """

    strategy: str
    attack: str
    parameters: Mapping[str, Value]
    accuracy: float
    success: float | None = None

    @property
    def damage(self) -> float:
        """What the search makes as large as it can."""
        return -self.accuracy if self.success is None else self.success


def red_team(
    base: Mapping[str, Any],
    strategies: Sequence[str],
    attacks: Sequence[str],
    *,
    grid: int = 4,
    refinements: int = 2,
    seeds: int = 1,
    processes: int | None = None,
    on_trial: Callable[[Trial, int, int], None] = lambda trial, done, planned: None,
) -> list[Trial]:
    """Try a control and every attack on each rule.

    Parameters
    ----------
    base : Mapping
        Run config without strategy and attack.
    strategies, attacks : sequence of str
    grid : int
        Values of a range in the first sweep, at least 2.
    refinements : int
        Times that the search halves in on the worst so far.
    seeds : int
        Runs of a trial, with the seeds from base's on.
    processes : int, optional
        As many as there are cores by default.
    on_trial : callable
        Gets each trial with the number of trials done and planned so far.

    Returns
    -------
    list of Trial

    Raises
    ------
    ConfigError
        For a rule or an attack that cannot run with base, and where there is nothing by which
        models could be compared; nothing was run then.
    DataMissing
        When the data are not where they should be.
    """
    check_options(base, strategies, attacks)
    pairs = [(s, a) for s in strategies for a in ("none", *attacks)]
    plan = {pair: first_trials(pair[1], grid) for pair in pairs}
    _check_trials(_config(base, *pair, point, 0) for pair in pairs for point in plan[pair])
    trials: list[Trial] = []
    done, planned = 0, sum(map(len, plan.values()))
    pool = ProcessPoolExecutor(processes or cores(), get_context("spawn"), end_at_once)
    try:
        for sweep in range(refinements + 1):
            with unheard():
                waiting = [
                    (strategy, attack, point, pool.map(
                        final_scores,
                        [_config(base, strategy, attack, point, k) for k in range(seeds)],
                    ))
                    for (strategy, attack), points in plan.items() for point in points
                ]  # fmt: skip
            for strategy, attack, point, found in waiting:
                accuracies, successes = zip(*found, strict=True)
                success = None if None in successes else sum(successes) / seeds
                trial = Trial(strategy, attack, point, sum(accuracies) / seeds, success)
                trials.append(trial)
                done += 1
                on_trial(trial, done, planned)
            if sweep < refinements:
                plan = {pair: _around(trials, *pair) for pair in pairs}
                planned += sum(map(len, plan.values()))
    finally:  # an interrupt does not wait for what was planned
        pool.shutdown(cancel_futures=True)
    return trials


def _check_trials(configs: Iterable[Mapping[str, Any]]) -> None:
    """Raise ConfigError or DataMissing where one of them cannot run here, or is worth nothing."""
    load = cache(problem_of)  # of most trials it is the same
    for config, strategy in [check(config) for config in configs]:
        problem = load(config.workload)
        check_loaded(config, strategy, problem)
        if not problem.tested:
            raise ConfigError(
                f"data-dir: expected test samples in {config.workload.data_dir}/{HELD_OUT}, by "
                "which trials are compared; found no such folder"
            )


def worst(trials: Sequence[Trial], strategy: str, attack: str | None = None) -> Trial:
    """Return the trial of a rule with the lowest accuracy; of a backdoor that is named, the best.

    Parameters
    ----------
    trials : sequence of Trial
        At least one of the rule.
    strategy : str
        The rule.
    attack : str, optional
        The attack; any but "none" by default. Its trial with the most damage is returned.
    """
    of_rule = [t for t in trials if t.strategy == strategy]
    if attack:
        return max((t for t in of_rule if t.attack == attack), key=lambda trial: trial.damage)
    return min((t for t in of_rule if t.attack != "none"), key=lambda trial: trial.accuracy)


def _around(trials: Sequence[Trial], strategy: str, attack: str) -> list[dict[str, Value]]:
    best = worst(trials, strategy, attack).parameters
    tried = [t.parameters for t in trials if (t.strategy, t.attack) == (strategy, attack)]
    return next_trials(attack, best, tried)


def foreign(
    base: Mapping[str, Any], strategies: Sequence[str], attacks: Sequence[str]
) -> list[str]:
    """Return the keys in base that belong to other rules and attacks than those.

    Parameters
    ----------
    base : mapping
        Run-config keys.
    strategies, attacks : sequence of str
        Names of those that are tried.
    """
    used = {*strategies, *(part for attack in attacks for part in made_of(attack, base))}
    owners = {key: KEYS[key].owner for key in base if key in KEYS}
    others = [k for k, o in owners.items() if KIND_OF.get(o) in SEARCHED and o not in used]
    for key, names in (("strategy-options", strategies), ("attack-options", attacks)):
        if key in base and not any(":" in name for name in names):
            others.append(key)
    return others


def check_options(
    base: Mapping[str, Any], strategies: Sequence[str], attacks: Sequence[str]
) -> None:
    """Raise ConfigError for an option in base that none of the rules and attacks has.

    Parameters
    ----------
    base : mapping
        Run-config keys.
    strategies, attacks : sequence of str
        Names of those that are tried.
    """
    for key in foreign(base, strategies, attacks):
        owner = KEYS[key].owner or f"your own {key.removesuffix('-options')}"
        raise ConfigError(f"{key}: belongs to {owner}, which is not tried")


def _config(
    base: Mapping[str, Any], strategy: str, attack: str, point: Mapping[str, Value], offset: int
) -> dict[str, Any]:
    """The run config of one trial: base without the options of other rules and attacks."""
    own = f"{attack}.".replace("_", "-") if ":" in attack else "no own attack."
    options = {key.removeprefix(own): value for key, value in point.items() if key.startswith(own)}
    if options:  # those of a user's own attack travel as one text
        given = read_pairs("attack-options", base.get("attack-options", ""))
        text = " ".join(f"{key}={json.dumps(value)}" for key, value in (given | options).items())
        point = {"attack-options": text}
    others = foreign({**base, **point}, [strategy], [attack])
    return {
        **{key: value for key, value in base.items() if key not in others}, **point,
        "strategy": strategy, "attack": attack, "seed": base.get("seed", 0) + offset,
        "evaluate-every": base.get("num-rounds", KEYS["num-rounds"].default),
    }  # fmt: skip
