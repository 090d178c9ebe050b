"""The choice of hyper-parameters by the worst attack, on validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.experiments.sweep import Choose, Sweep
from signfed.app.runs.folder import FINISHED
from signfed.app.runs.sweeps import Row

VALIDATION, TEST = "validation_accuracy", "test_accuracy"
Values = tuple[Any, ...]


@dataclass(frozen=True)
class _Best:
    """The best evaluation of one setting under one attack: means over the seeds."""

    round: int
    validation: float
    test: float


def check_choice(sweep: Sweep) -> None:
    """Raise ConfigError for a choice that the sweep's cells do not allow.

    Parameters
    ----------
    sweep : Sweep
    """
    if sweep.choose is None:
        return
    points = list(sweep.points())
    for key in (*sweep.choose.over, sweep.choose.worst_of):
        if any(key not in point for point in points):
            raise ConfigError(f"choose: {key}: expected a key of the grid, or of every case")
    if not sweep.choose.over or sweep.choose.worst_of in sweep.choose.over:
        raise ConfigError(
            f"choose: over: expected keys to choose, without worst-of; got {sweep.choose.over}"
        )
    for point in points:
        if stop := {**sweep.config, **point}.get("stop-when"):
            raise ConfigError(
                "choose: expected no stop-when, which ends a run by its test accuracy or loss: "
                f"settings are not chosen on test data; got {stop!r}; take it out"
            )
        if not {**sweep.config, **point}.get("validation-samples"):
            raise ConfigError(
                "choose: expected validation-samples in [config], 200 for example: settings are "
                "not chosen on test data"
            )


def left_out(choose: Choose, rows: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    """Return the settings that are not compared, since not all their runs finished.

    A run that failed may have been at its best when it did, and one that diverged before.

    Parameters
    ----------
    choose : Choose
    rows : sequence of mapping
        `SweepFolder.rows`.
    keys : sequence of str
        The keys that tell cells apart.

    Returns
    -------
    list of dict
        Of each its keys but `choose.worst_of` and the seed.
    """
    of = [key for key in keys if key not in (choose.worst_of, "seed")]
    found = [{k: row.get(k) for k in of} for row in rows if row.get("status") != FINISHED]
    return [setting for i, setting in enumerate(found) if setting not in found[:i]]


def chosen(
    choose: Choose, rounds: Sequence[Row], keys: Sequence[str], without: Sequence[Row] = ()
) -> list[Row]:
    """Choose, for each other combination of keys, the values that are best at their worst.

    The curves of validation accuracy are averaged over the seeds; a setting counts by its highest
    point under each attack, and by the lowest of these over the attacks. The first of several equal
    settings is taken.

        argmax_v min_a max_t mean_s accuracy(v, a, t, s)

    Parameters
    ----------
    choose : Choose
        The keys that are chosen, and the one over which the worst counts.
    rounds : sequence of mapping
        `SweepFolder.rounds`.
    keys : sequence of str
        The keys that tell cells apart; "seed" is one of them.
    without : sequence of mapping
        Settings that are not compared: `left_out`.

    Returns
    -------
    list of dict
        A row for each combination and attack: its keys, the chosen values, the round of the highest
        validation accuracy, both accuracies in that round, and whether the attack is the worst one.

    References
    ----------
    ByzFL 0.0.11, benchmark/evaluate_results.py, `find_best_hyperparameters`.

    Notes
    -----
    Deviation: a round counts only where all seeds have it, since runs may end early.
    """
    names = [key for key in keys if key not in (*choose.over, choose.worst_of, "seed")]
    found: dict[Values, dict[Values, dict[Any, dict[Any, list[Row]]]]] = {}
    for row in rounds:
        if any(all(row.get(k) == v for k, v in setting.items()) for setting in without):
            continue
        if VALIDATION in row and TEST in row:
            combination = tuple(row.get(key) for key in names)
            setting = tuple(row[key] for key in choose.over)
            attacks = found.setdefault(combination, {}).setdefault(setting, {})
            seeds = attacks.setdefault(row[choose.worst_of], {})
            seeds.setdefault(row["seed"], []).append(row)
    table = []
    for combination, settings in found.items():
        runs = {s: sum(map(len, attacks.values())) for s, attacks in settings.items()}
        whole = {  # a setting of which a run was never evaluated is not compared
            setting: {attack: _best(seeds) for attack, seeds in attacks.items()}
            for setting, attacks in settings.items()
            if runs[setting] == max(runs.values())
        }
        taken = max(whole, key=lambda setting: min(b.validation for b in whole[setting].values()))
        worst = min(whole[taken], key=lambda attack: whole[taken][attack].validation)
        for attack, point in whole[taken].items():
            table.append({
                **dict(zip(names, combination, strict=True)),
                **dict(zip(choose.over, taken, strict=True)),
                choose.worst_of: attack, "round": point.round, VALIDATION: point.validation,
                TEST: point.test, "worst": attack == worst,
            })  # fmt: skip
    return table


def _best(seeds: Mapping[Any, Sequence[Row]]) -> _Best:
    curves = [{row["round"]: row for row in rows} for rows in seeds.values()]
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    means = [
        _Best(t, fmean(c[t][VALIDATION] for c in curves), fmean(c[t][TEST] for c in curves))
        for t in common
    ]
    return max(means, key=lambda point: point.validation)
