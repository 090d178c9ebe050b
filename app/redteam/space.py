"""What a red team tries of each attack: the options that say what is worth trying."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from signfed.attacks import ATTACKS, find
from signfed.strategies.core.options import Option, Range, Value, options_of

ATTACKERS = tuple(name for name in ATTACKS if name != "none")
Point = Mapping[str, Value]  # run-config keys of one trial


def first_trials(attack: str, count: int) -> list[dict[str, Value]]:
    """The grid over all options of an attack: `count` values of a range, all of a choice."""
    options = searched(attack)
    grids = [grid(option, count) for option in options]
    keys = [option.key for option in options]
    return [dict(zip(keys, point, strict=True)) for point in product(*grids)]


def next_trials(attack: str, best: Point, tried: Sequence[Point]) -> list[dict[str, Value]]:
    """Around the best so far: each range's middles to its neighbours, one option at a time."""
    found = []
    for option in searched(attack):
        others = [point[option.key] for point in tried]
        values = between(option, best[option.key], others)
        found += [{**best, option.key: value} for value in values]
    return found


def searched(attack: str) -> list[Option]:
    """The options of an attack that a red team varies; a choice of one value stays as it is.

    Those of a user's own attack have no run-config keys; `module:function.scale` stands for one.
    """
    own = options_of(find(attack).function, attack)
    return [option for option in own if len(grid(option, 2)) > 1]


def grid(option: Option, count: int) -> Sequence[Value]:
    """All of a choice; `count` values of a range."""
    if not isinstance(search := option.search, Range):
        return search.values if search else ()
    return [_at(option, search, i / (count - 1)) for i in range(count)]


def between(option: Option, value: Value, others: Sequence[Value]) -> Sequence[Value]:
    """The middles to the nearest tried value on either side; nothing for a choice."""
    if not isinstance(search := option.search, Range):
        return ()
    here, places = _place(search, value), [_place(search, other) for other in others]
    below = max((p for p in places if p < here), default=None)
    above = min((p for p in places if p > here), default=None)
    middles = [_at(option, search, (here + p) / 2) for p in (below, above) if p is not None]
    return [middle for middle in middles if middle not in others]


def _at(option: Option, search: Range, place: float) -> Value:
    """The value at a place between 0 and 1, in the option's type."""
    if search.log:
        value = search.low * (search.high / search.low) ** place
    else:
        value = search.low + (search.high - search.low) * place
    return round(value) if option.kind is int else float(f"{value:.4g}")


def _place(search: Range, value: Any) -> float:
    if search.log:
        return math.log(value / search.low) / math.log(search.high / search.low)
    return (value - search.low) / (search.high - search.low)
