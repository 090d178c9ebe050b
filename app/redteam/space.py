"""What a red team tries of each attack: the options that say what is worth trying."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

from signfed.app.config.keys import KEYS, Key
from signfed.attacks import ATTACKS
from signfed.strategies.core.options import Choice, Range, Value

ATTACKERS = tuple(name for name in ATTACKS if name != "none")


def first_trials(attack: str, count: int) -> list[dict[str, Value]]:
    """The grid over all keys of an attack: `count` values for a range, all of a choice."""
    keys = searched(attack)
    grids = [_grid(key, count) for key in keys]
    names = [key.name for key in keys]
    return [dict(zip(names, point, strict=True)) for point in product(*grids)]


def next_trials(
    attack: str, best: Mapping[str, Value], tried: Sequence[Mapping[str, Value]]
) -> list[dict[str, Value]]:
    """Around the best so far: each range's middles to its neighbours, one key at a time."""
    found = []
    for key in searched(attack):
        others = [point[key.name] for point in tried]
        found += [{**best, key.name: value} for value in _between(key, best[key.name], others)]
    return found


def searched(attack: str) -> list[Key]:
    """The options of an attack that a red team varies."""
    return [
        key for key in KEYS.values()
        if key.kind == "attack" and key.option.owner == attack and key.option.search
    ]  # fmt: skip


def _grid(key: Key, count: int) -> Sequence[Value]:
    """All of a choice; `count` values of a range."""
    search = key.option.search
    if isinstance(search, Choice):
        return search.values
    return [_at(key, search, i / (count - 1)) for i in range(count)]


def _between(key: Key, value: Value, others: Sequence[Value]) -> Sequence[Value]:
    """The middles to the nearest tried value on either side; nothing for a choice."""
    search = key.option.search
    if isinstance(search, Choice):
        return ()
    here = _place(search, value)
    places = [_place(search, other) for other in others]
    below = max((p for p in places if p < here), default=None)
    above = min((p for p in places if p > here), default=None)
    middles = [_at(key, search, (here + p) / 2) for p in (below, above) if p is not None]
    return [middle for middle in middles if middle not in others]


def _at(key: Key, search: Range, place: float) -> Value:
    """The value at a place between 0 and 1, in the option's type."""
    if search.log:
        value = search.low * (search.high / search.low) ** place
    else:
        value = search.low + (search.high - search.low) * place
    return round(value) if key.option.kind is int else float(f"{value:.4g}")


def _place(search: Range, value: Value) -> float:
    if search.log:
        return math.log(value / search.low) / math.log(search.high / search.low)
    return (value - search.low) / (search.high - search.low)
