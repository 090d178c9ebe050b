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
    """Return the grid over all options of an attack, as run-config keys.

    Parameters
    ----------
    attack : str
        Its name.
    count : int
        Values of a range, at least 2; of a choice all are taken.
    """
    options = searched(attack)
    grids = [grid(option, count) for option in options]
    keys = [option.key for option in options]
    return [dict(zip(keys, point, strict=True)) for point in product(*grids)]


def next_trials(attack: str, best: Point, tried: Sequence[Point]) -> list[dict[str, Value]]:
    """Return points around the best so far, one option changed at a time.

    Parameters
    ----------
    attack : str
        Its name.
    best : Point
        The point with the most damage.
    tried : sequence of Point
        All points so far.

    Returns
    -------
    list of dict
        The middles between the best and the nearest tried value on either side, range by range.
    """
    found = []
    for option in searched(attack):
        others = [point[option.key] for point in tried]
        values = between(option, best[option.key], others)
        found += [{**best, option.key: value} for value in values]
    return found


def searched(attack: str) -> list[Option]:
    """Return the options of an attack that a red team varies: not a choice of one value.

    Those of a user's own attack have no run-config keys; `module:function.scale` stands for one.

    Parameters
    ----------
    attack : str
        Its name, or `module:function`.
    """
    own = options_of(find(attack).function, attack)
    return [option for option in own if len(grid(option, 2)) > 1]


def grid(option: Option, count: int) -> Sequence[Value]:
    """Return the values that are tried first: all of a choice, `count` of a range, each once.

    Parameters
    ----------
    option : Option
        With a `Range` or a `Choice`; without one nothing is tried.
    count : int
        At least 2.
    """
    if not isinstance(search := option.search, Range):
        return search.values if search else ()
    # Of whole numbers there may be fewer.
    return list(dict.fromkeys(_at(option, search, i / (count - 1)) for i in range(count)))


def between(option: Option, value: Value, others: Sequence[Value]) -> Sequence[Value]:
    """Return the middles to the nearest tried value on either side; nothing for a choice.

    Parameters
    ----------
    option : Option
        With a `Range` or a `Choice`.
    value : Value
        The best so far.
    others : sequence of Value
        The values that were tried.
    """
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
