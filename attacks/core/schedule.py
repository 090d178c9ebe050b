"""Attacks that are made of others: one that differs by round, and the parts of any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from signfed.attacks.core.attack import Attack
from signfed.attacks.core.view import View


class Schedule(Attack):
    """An attack that differs by round: a function (server_round, seed, ids) -> (attack, ids)."""

    def at(
        self, server_round: int, seed: int, ids: tuple[int, ...]
    ) -> tuple[Attack, tuple[int, ...]]:
        chosen, active = self.function(
            server_round, seed, ids, **{**self.arguments, **self.options}
        )
        return chosen.at(server_round, seed, active)

    def __call__(self, view: View, **options: Any) -> np.ndarray:
        raise ValueError(
            f"attack {self.name!r} differs by round: call what at(server_round, seed, ids) returns"
        )


def schedule(*, parts: tuple[str, ...]) -> Callable[[Callable[..., Any]], Schedule]:
    """Declare a function as a schedule, which knows what the attacks in `parts` know.

    Parameters
    ----------
    parts : tuple of str
        As in `Attack`.

    Returns
    -------
    callable
        Function -> Schedule.
    """
    return lambda function: Schedule(function, "own", "gradient", parts=parts)


def parts_of(owner: str, bound: object) -> tuple[Attack, ...]:
    """Return the attacks that `build` bound to an option.

    Parameters
    ----------
    owner : str
        Name of the attack that is made of others.
    bound : object
        What the option holds.

    Raises
    ------
    ValueError
        When it holds anything but attacks.
    """
    if isinstance(bound, tuple) and all(isinstance(part, Attack) for part in bound):
        return bound
    raise ValueError(f"{owner}: expected attacks, as build({owner!r}) binds them; got {bound!r}")
