"""Another attack in each period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from signfed.attacks.core.view import Attack, Knowledge, View
from signfed.strategies.core.options import Choice

STREAM = 0x7E  # keeps these draws apart from others of (seed, number)


@dataclass(frozen=True, eq=False)
class TimeVarying(Attack):
    """One of several attacks in each period, drawn uniformly; see `time_varying`."""

    def bind(self, **options: Any) -> TimeVarying:
        """As Attack.bind; it then knows as much as the one of its parts that knows most.

        Raises ValueError for a period below 1.
        """
        bound = super().bind(**options)
        if (period := bound.options.get("period", 1)) < 1:
            raise ValueError(f"period: expected a whole number of at least 1, got {period}")
        parts = bound.options.get("attacks")
        if not isinstance(parts, tuple):
            return bound
        most = max((part.knowledge for part in parts), key=Knowledge.__args__.index)
        return replace(bound, knowledge=most, truth=any(part.truth for part in parts))

    def at(
        self, server_round: int, seed: int, ids: tuple[int, ...]
    ) -> tuple[Attack, tuple[int, ...]]:
        """The attack of this round, and who attacks: all, or when `changing` some of them."""
        options = self.arguments | dict(self.options)
        if not isinstance(parts := options["attacks"], tuple):
            raise ValueError(f"attacks: expected attacks, built by build(), got {parts!r}")
        generator = np.random.default_rng([seed, (server_round - 1) // options["period"], STREAM])
        part = parts[generator.integers(len(parts))]
        if options["changing"] and ids:
            active = np.zeros(len(ids), dtype=bool)
            while not active.any():
                active = generator.random(len(ids)) < 0.5
            ids = tuple(each for each, attacks in zip(ids, active, strict=True) if attacks)
        return part.at(server_round, seed, ids)


def _choose(
    view: View,
    *,
    attacks: Annotated[
        str, Field(description="drawn from, by name")
    ] = "none,random,noise,label-flip,byzmean,sign-flip,lie,min-max,min-sum",
    period: Annotated[
        int,
        Field(ge=0, description="rounds of each; 0: an epoch of a worker's data"),
        Choice((1, 10, 50)),
    ] = 1,
    changing: Annotated[
        bool, Field(description="whether only some of the attackers attack, others each time")
    ] = False,
) -> np.ndarray:
    """Attack by one of several, drawn uniformly for each period from (seed, number of the period).

    attacks: their names. period: rounds before the next draw, >= 1. changing: only some of the
        attackers strike, a subset drawn anew for each period, uniformly among those that are not
        empty; the others are honest.
    Raises ValueError when it is called: what to do in a round, `at` says.
    Reference: Xu et al. 2022 (SignGuard), section VI, "Time-varying attack strategy" and Fig. 5.
    Deviation from the paper: a period is counted in rounds; the paper changes at each epoch.
    """
    raise ValueError("time-varying differs by round: call what at(round, seed, ids) returns")


time_varying = TimeVarying(_choose, "omniscient", "gradient", parts=("attacks",))
