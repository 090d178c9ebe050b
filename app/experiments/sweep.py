"""What a sweep is: run configs from a grid, cases and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from signfed.strategies.core.options import Value

Keys = Mapping[str, Value]


@dataclass(frozen=True)
class Choose:
    """A choice of settings by their worst case.

    Attributes
    ----------
    over : sequence of str
        Keys whose values are chosen, such as "lr".
    worst_of : str
        Key over whose values the worst counts, such as "attack".
    """

    over: Sequence[str]
    worst_of: str = "attack"


@dataclass(frozen=True)
class Sweep:
    """Run configs that differ in some keys.

    Attributes
    ----------
    name : str
    config : mapping
        Run-config keys of every cell.
    grid : mapping of str to sequence
        Keys and the values of each; all combinations are taken.
    cases : sequence of mapping
        Alternatives that need more than one key: each is combined with the whole grid.
    seeds : sequence of int
        Each cell is run with each.
    engine : str
        "local" or "flower".
    choose : Choose, optional
        Which settings are chosen among the cells, on validation data.
    """

    name: str
    config: Keys = field(default_factory=dict)
    grid: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    cases: Sequence[Keys] = ({},)
    seeds: Sequence[int] = (0,)
    engine: str = "local"
    choose: Choose | None = None

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield what tells one cell from the others: its case, its point of the grid, its seed."""
        for case in self.cases:
            for point in product(*self.grid.values()):
                for seed in self.seeds:
                    yield {**case, **dict(zip(self.grid, point, strict=True)), "seed": seed}
