"""Another attack in each period."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import Attack
from signfed.attacks.core.schedule import parts_of, schedule
from signfed.strategies.core.options import Choice

STREAM = 0x7E  # keeps these draws apart from others of (seed, number)


@schedule(parts=("attacks",))
def time_varying(
    server_round: int,
    seed: int,
    ids: tuple[int, ...],
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
        bool,
        Field(description="whether only some Byzantine workers attack, others in each period"),
    ] = False,
) -> tuple[Attack, tuple[int, ...]]:
    """Carry out one of several attacks, drawn uniformly for each period.

    The draw depends on (seed, number of the period) alone.

    Parameters
    ----------
    server_round : int
        Number of the round, 1, 2, ...
    seed : int
        Seed of the run.
    ids : tuple of int
        The Byzantine workers.
    attacks : str
        Names, separated by commas; `build` and `craft` bind the attacks themselves.
    period : int, >= 1
        Rounds before the next draw. In a run, 0 stands for an epoch of a worker's data.
    changing : bool
        Whether only a subset of the Byzantine workers attacks, drawn anew for each period,
        uniformly among the subsets that are not empty. The others are honest.

    Returns
    -------
    Attack
        What is done in this round.
    tuple of int
        The workers that do it.

    Raises
    ------
    ValueError
        For a period of 0 outside a run, where no epoch is known.

    Examples
    --------
    >>> from signfed.attacks import build
    >>> varying = build("time-varying", attacks="none,sign-flip", period=2)
    >>> [varying.at(server_round, 0, (3, 5))[0].name for server_round in range(1, 7)]
    ['none', 'none', 'sign-flip', 'sign-flip', 'none', 'none']

    References
    ----------
    Xu et al. 2022 (SignGuard), section VI, "Time-varying attack strategy" and Fig. 5.

    Notes
    -----
    Deviation from the paper: a period is counted in rounds; the paper changes at each epoch.
    """
    parts = parts_of("time-varying", attacks)
    if not period:
        raise ValueError("period: expected a whole number of at least 1 outside a run, got 0")
    generator = np.random.default_rng([seed, (server_round - 1) // period, STREAM])
    part = parts[generator.integers(len(parts))]
    if not (changing and ids):
        return part, ids
    active = np.zeros(len(ids), dtype=bool)
    while not active.any():
        active = generator.random(len(ids)) < 0.5
    return part, tuple(
        worker for worker, attacks_now in zip(ids, active, strict=True) if attacks_now
    )
