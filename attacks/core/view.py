"""What an attack may see, and how it declares that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from signfed.strategies.core.options import known, options_of

Knowledge = Literal["own", "colluders", "omniscient", "server"]
Stage = Literal["data", "gradient", "message"]


class KnowledgeError(ValueError):
    """An attack asked for more than it declared, or more than there is to know here."""


class View:
    """The arrays that an attack may use in one round, for b attackers at once.

    own: float32 [b, N], what each attacker would have sent honestly: its gradient, or, for an
        attack on the message, the values that the server would decode (+1/-1 on a sign channel).
        For an attack on the data: int64 [b, n], the labels of the training set.
    generators: b independent random generators, one an attacker.
    n_total: number of workers that the round asks, attackers included.
    round: 1, 2, ...
    honest: float32 [n_total - b, N], the honest workers' rows at the same stage.
    truth: float32 [N], the gradient over the whole training set.
    findings: what the server's rule found out in the last round, as in `rounds.jsonl`; empty in
        the first.
    ids: numbers of the b attackers as workers, as in findings; honest_ids: of the honest rows.
    n_classes: of the labels.

    From `honest` on they raise KnowledgeError unless the attack declared to need them.
    """

    def __init__(
        self,
        own: np.ndarray,
        generators: tuple[np.random.Generator, ...],
        n_total: int,
        *,
        server_round: int = 1,
        honest: np.ndarray | None = None,
        truth: np.ndarray | None = None,
        findings: Mapping[str, Any] | None = None,
        ids: Sequence[int] | None = None,
        honest_ids: Sequence[int] | None = None,
        n_classes: int | None = None,
    ) -> None:
        self.own, self.generators, self.n_total, self.server_round = (
            own,
            generators,
            n_total,
            server_round,
        )
        self._declared = {
            "honest": (honest, "knowledge 'omniscient' or 'server'"),
            "truth": (truth, "truth=True"),
            "findings": (findings, "knowledge 'server'"),
            "ids": (ids, "knowledge 'server'"),
            "honest_ids": (honest_ids, "knowledge 'server'"),
            "n_classes": (n_classes, "stage 'data'"),
        }

    def __getattr__(self, name: str) -> Any:
        declared = self.__dict__.get("_declared", {})
        if name not in declared:
            raise AttributeError(f"a view has no {name!r}")
        value, needed = declared[name]
        if value is None:
            raise KnowledgeError(f"view.{name} is for attacks that declare {needed}")
        return value


@dataclass(frozen=True, eq=False)
class Attack:
    """A pure function View -> [b, N] with what it knows and where it strikes.

    knowledge: "own" (its own row alone), "colluders" (all attackers' rows), "omniscient" (the
        honest rows too), "server" (also what the rule found out; the fleet engine only).
    stage: "data" (labels), "gradient" (before compression) or "message" (on the values that the
        server would decode, so on a sign channel a flip is a flipped bit, zeros included).
    truth: whether it needs the gradient over the whole training set; for the omniscient.
    parts: names of its arguments that are attacks themselves, a tuple of them.
    options: arguments bound to it.
    """

    function: Callable[..., np.ndarray]
    knowledge: Knowledge
    stage: Stage
    truth: bool = False
    parts: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """Its options with their defaults."""
        return {option.name: option.default for option in options_of(self.function)}

    def bind(self, **options: Any) -> Attack:
        """The same attack with these options. Raises OptionError for what they cannot be."""
        known(self.function, "the attack", options)
        for option in options_of(self.function):
            if option.name in options and option.name not in self.parts:
                options[option.name] = option.check(options[option.name])
        return replace(self, options={**self.options, **options})

    def at(
        self, server_round: int, seed: int, ids: tuple[int, ...]
    ) -> tuple[Attack, tuple[int, ...]]:
        """What is done in this round, and which of the attackers `ids` do it."""
        return self, ids

    def __call__(self, view: View, **options: Any) -> np.ndarray:
        bound = self.bind(**options) if options else self
        return self.function(view, **bound.options)


def attack(
    *, knowledge: Knowledge, stage: Stage, truth: bool = False, parts: tuple[str, ...] = ()
) -> Callable[[Callable[..., np.ndarray]], Attack]:
    """Declare a function `f(view, *, option=default, ...) -> [b, N]` as an attack."""
    for name, value, literal in (("knowledge", knowledge, Knowledge), ("stage", stage, Stage)):
        if value not in literal.__args__:
            raise ValueError(f"{name} must be one of {literal.__args__}, got {value!r}")
    if truth and knowledge in ("own", "colluders"):
        raise ValueError(f"who knows the true gradient is omniscient, got knowledge={knowledge!r}")
    return lambda function: Attack(function, knowledge, stage, truth, parts)


def knows(level: Knowledge, what: Knowledge) -> bool:
    """Whether knowledge `level` includes `what`."""
    order = Knowledge.__args__
    return order.index(level) >= order.index(what)
