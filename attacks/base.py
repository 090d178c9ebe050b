"""What an attack may see, and how it declares that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Knowledge = Literal["own", "colluders", "omniscient"]
Stage = Literal["gradient", "message"]


@dataclass(frozen=True, eq=False)
class View:
    """The arrays that an attack may use in one round, for b attackers at once.

    own: float32 [b, N], what each attacker would have sent honestly: its gradient, or, for an
        attack on the message, the values that the server would decode (+1/-1 on a sign channel).
    generators: b independent random generators, one an attacker.
    n_total: number of workers in the federation, attackers included.
    honest: float32 [n_total - b, N], the honest workers' rows; None unless the attack declared
        knowledge "omniscient".
    """

    own: np.ndarray
    generators: tuple[np.random.Generator, ...]
    n_total: int
    honest: np.ndarray | None = None


@dataclass(frozen=True)
class Attack:
    """A pure function View -> float32 [b, N] with what it knows and where it strikes.

    knowledge: "own" (its own row alone), "colluders" (all attackers' rows), "omniscient" (the
        honest rows too).
    stage: "gradient" (before compression) or "message" (on the values that the server would
        decode, so on a sign channel a flip is a flipped bit, zeros included).
    """

    function: Callable[..., np.ndarray]
    knowledge: Knowledge
    stage: Stage

    def __call__(self, view: View, **options: object) -> np.ndarray:
        return self.function(view, **options)


def attack(*, knowledge: Knowledge, stage: Stage) -> Callable[[Callable[..., np.ndarray]], Attack]:
    """Declare a function `f(view, *, option=default, ...) -> [b, N]` as an attack."""
    for name, value, literal in (("knowledge", knowledge, Knowledge), ("stage", stage, Stage)):
        if value not in literal.__args__:
            raise ValueError(f"{name} must be one of {literal.__args__}, got {value!r}")
    return lambda function: Attack(function, knowledge, stage)
