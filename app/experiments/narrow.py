"""A part of a sweep: the cells that have some values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from signfed.app.config.pairs import read_pairs
from signfed.app.errors import ConfigError
from signfed.app.experiments.sweep import Sweep


def narrowed(sweep: Sweep, only: Sequence[str]) -> Sweep:
    """Leave out the cells that do not have these values.

    Parameters
    ----------
    sweep : Sweep
    only : sequence of str
        Each a pair such as `num-byzantine=6`, or several; a key that comes twice may have either
        value.

    Returns
    -------
    Sweep

    Raises
    ------
    ConfigError
        For a key that does not vary here, and when no cell is left.

    Examples
    --------
    >>> sweep = Sweep("s", grid={"num-byzantine": (0, 3, 6)}, cases=({"strategy": "mean"},))
    >>> narrowed(sweep, ["num-byzantine=0", "num-byzantine=6"]).grid
    {'num-byzantine': (0, 6)}
    >>> narrowed(sweep, ["strategy=mean"]).cases
    ({'strategy': 'mean'},)
    """
    asked: dict[str, list[Any]] = {}
    for text in only:
        for key, value in read_pairs("--only", text).items():
            asked.setdefault(key, []).append(value)
    varies = {*sweep.grid, "seed", *(key for case in sweep.cases for key in case)}
    for key in asked:
        if key not in varies:
            raise ConfigError(f"--only: expected some of {', '.join(sorted(varies))}; got {key}")
    grid = {k: tuple(v for v in vs if v in asked.get(k, vs)) for k, vs in sweep.grid.items()}
    of_cases = {key: values for key, values in asked.items() if key not in {*grid, "seed"}}
    cases = [
        case for case in sweep.cases if all(case.get(k) in vs for k, vs in of_cases.items())
    ]  # fmt: skip
    seeds = tuple(seed for seed in sweep.seeds if seed in asked.get("seed", sweep.seeds))
    if not (cases and seeds and all(grid.values())):
        raise ConfigError(f"--only: no cell of {sweep.name} has {' '.join(only)}")
    return replace(sweep, grid=grid, cases=tuple(cases), seeds=seeds)
