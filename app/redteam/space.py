"""What a red team tries of each attack: its run-config keys and the values worth trying."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from app.options import Value
from attacks import ATTACKS


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Value, ...]

    def grid(self, count: int) -> Sequence[Value]:
        return self.values

    def between(self, value: Value, others: Sequence[Value]) -> Sequence[Value]:
        return ()


@dataclass(frozen=True)
class Range:
    """A number from low to high, in equal steps or (`log`) in equal ratios."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def grid(self, count: int) -> Sequence[Value]:
        steps = [i / (count - 1) for i in range(count)]
        return [self._at(step) for step in steps]

    def between(self, value: Value, others: Sequence[Value]) -> Sequence[Value]:
        """The middles to the nearest tried value on either side."""
        here = self._place(value)
        places = [self._place(other) for other in others]
        below = max((p for p in places if p < here), default=None)
        above = min((p for p in places if p > here), default=None)
        middles = [self._at((here + p) / 2) for p in (below, above) if p is not None]
        return [middle for middle in middles if middle not in others]

    def _at(self, place: float) -> Value:
        if self.log:
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + (self.high - self.low) * place
        return round(value) if self.whole else float(f"{value:.4g}")

    def _place(self, value: Value) -> float:
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


DIRECTIONS = Choice(("std", "unit", "sign"))
SHARE = Range(0.05, 1.0)

# Keys of each attack; an attack that is not here has nothing to vary.
SPACE: Mapping[str, Mapping[str, Choice | Range]] = {
    "stochastic-sign-flip": {"flip-probability": Range(0.0, 1.0)},
    "gaussian": {"gaussian-std": Range(1e-3, 1e3, log=True)},
    "random": {"random-std": Range(1e-3, 1e3, log=True)},
    "noise": {"noise-std": Range(1e-3, 1e3, log=True)},
    "reverse-scaling": {"reverse-scaling-factor": Range(0.1, 1e3, log=True)},
    "lie": {"lie-z": Range(0.05, 50.0, log=True), "lie-direction": Choice(("minus", "plus"))},
    "byzmean": {"byzmean-inner": Choice(("lie", "min-max", "random", "sign-flip", "ipm"))},
    "min-max": {"min-max-perturbation": DIRECTIONS},
    "min-sum": {"min-sum-perturbation": DIRECTIONS, "min-sum-bound": Choice(("max", "min"))},
    "ipm": {"ipm-epsilon": Range(0.01, 100.0, log=True)},
    "mimic": {"mimic-target": Choice((0, -1))},
    "vote-aware": {"vote-aware-share": SHARE},
    "weight-aware": {"weight-aware-share": SHARE},
    "filter-aware": {"filter-aware-share": SHARE},
    "directional": {"directional-value": Choice((-100.0, -1.0, -0.01, 0.01, 1.0, 100.0))},
    "sleeper": {"sleeper-rounds": Range(0, 300, whole=True)},
    "time-varying": {
        "time-varying-period": Choice((1, 10, 50)),
        "time-varying-changing": Choice((False, True)),
    },
}

ATTACKERS = tuple(name for name in ATTACKS if name != "none")


def first_trials(attack: str, count: int) -> list[dict[str, Value]]:
    """The grid over all keys of an attack: `count` values for a range, all of a choice."""
    space = SPACE.get(attack, {})
    grids = [axis.grid(count) for axis in space.values()]
    return [dict(zip(space, point, strict=True)) for point in product(*grids)]


def next_trials(
    attack: str, best: Mapping[str, Value], tried: Sequence[Mapping[str, Value]]
) -> list[dict[str, Value]]:
    """Around the best so far: each range's middles to its neighbours, one key at a time."""
    found = []
    for key, axis in SPACE.get(attack, {}).items():
        others = [point[key] for point in tried]
        found += [{**best, key: value} for value in axis.between(best[key], others)]
    return found
