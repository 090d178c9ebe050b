"""An attack: a pure function, with what it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past
from signfed.attacks.core.rows import described, numbers
from signfed.attacks.core.view import Knowledge, Stage, View, knows
from signfed.strategies.core.options import known, options_of


@dataclass(frozen=True, eq=False)
class Attack:
    """A pure function View -> [b, N], with what it needs to know and where it strikes.

    Attributes
    ----------
    function : callable
        Takes the view, and its options as keyword arguments.
    knowledge : {"own", "colluders", "omniscient", "server"}
        Own row alone; the rows of all Byzantine workers; the honest rows too; also what the
        server's rule found out (local engine only).
    stage : {"data", "gradient", "message"}
        On the labels; before the encoder; or on the values that the server would decode, so that on
        a sign channel a flip is a flipped bit, exact zeros included.
    truth : bool
        Whether it needs the gradient over the whole training set.
    past : bool
        Whether it needs the model, what the server did last, or a memory.
    parts : tuple of str
        Names of its options that name other attacks. `build` binds those attacks to them.
    options : mapping
        Options that are bound to it.
    """

    function: Callable[..., Any]
    knowledge: Knowledge
    stage: Stage
    truth: bool = False
    past: bool = False
    parts: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in a configuration: `min-max`, or `module:function`."""
        if self.function.__module__.startswith("signfed."):
            return self.function.__name__.replace("_", "-")
        return f"{self.function.__module__}:{self.function.__name__}"

    @property
    def arguments(self) -> dict[str, Any]:
        """Its options with their defaults."""
        return {option.name: option.default for option in options_of(self.function)}

    def bind(self, **options: Any) -> Attack:
        """Return the same attack with these options; it knows what its parts know, too.

        Raises
        ------
        OptionError
            For a value outside its range, or an option that the attack does not have.
        """
        known(self.function, f"attack {self.name!r}", options)
        for option in options_of(self.function):
            if option.name in options and option.name not in self.parts:
                options[option.name] = option.check(options[option.name])
        bound = [part for name in self.parts for part in options.get(name, ())]
        made_of = [part for part in bound if isinstance(part, Attack)]
        levels = [self.knowledge, *(part.knowledge for part in made_of)]
        return replace(
            self,
            knowledge=max(levels, key=get_args(Knowledge).index),
            truth=self.truth or any(part.truth for part in made_of),
            past=self.past or any(part.past for part in made_of),
            options={**self.options, **options},
        )

    def at(
        self, server_round: int, seed: int, ids: tuple[int, ...]
    ) -> tuple[Attack, tuple[int, ...]]:
        """Return what is done in this round, and which of the Byzantine workers `ids` do it."""
        return self, ids

    def view(
        self,
        active: Sequence[int],
        row: Callable[[int], np.ndarray],
        generator: Callable[[int], np.random.Generator],
        *,
        asked: Sequence[int],
        n_total: int,
        server_round: int,
        truth: Callable[[], np.ndarray],
        past: Past | None,
        findings: Findings,
        n_classes: int | None,
    ) -> View:
        """Build the view of a round: what this attack declared, and no more.

        Parameters
        ----------
        active : sequence of int
            The Byzantine workers that attack, at least one.
        row : callable
            Worker -> what it would honestly have at the attack's stage, [N].
        generator : callable
            Worker -> the generator that it draws from.
        asked : sequence of int
            All workers of the round; the others among them are honest in it.
        n_total : int
            Their number.
        truth, past
            For an attack that declared it: what computes the gradient over the whole training set,
            float32 [N]; what was before the round.
        """
        own = np.stack([row(worker) for worker in active])
        sees: dict[str, Any] = {}
        others = tuple(worker for worker in asked if worker not in active)
        if knows(self.knowledge, "omniscient"):
            rows = [row(worker) for worker in others]
            sees["honest"] = np.reshape(rows, (len(rows), own.shape[1])).astype(np.float32)
        if self.knowledge == "server":
            sees |= {"findings": findings, "ids": tuple(active), "honest_ids": others}
        if self.truth:
            sees["truth"] = truth()
        if self.past:
            sees["past"] = past
        if self.stage == "data":
            sees["n_classes"] = n_classes
        draws = tuple(generator(worker) for worker in active)
        return View(own, draws, n_total, server_round=server_round, **sees)

    def __call__(self, view: View, **options: Any) -> np.ndarray:
        """Craft the rows of a view: [b, N], in the type of `view.own`.

        Raises
        ------
        ValueError
            When the function returns anything but numbers in the shape of `view.own`, or labels
            that do not exist. NaN is allowed.
        """
        bound = self.bind(**options) if options else self
        rows = bound._checked(self.function(view, **bound.options), view.own)
        if self.stage == "data" and ((rows < 0) | (rows >= view.n_classes)).any():
            raise ValueError(
                f"attack {self.name!r}: expected labels from 0 to {view.n_classes - 1}, "
                f"got labels from {rows.min()} to {rows.max()}"
            )
        return rows

    def _checked(self, returned: Any, own: np.ndarray) -> np.ndarray:
        whole = self.stage == "data"
        noun = "whole" if whole else "real"
        rows = numbers(returned, whole=whole)
        if rows is None or rows.shape != own.shape:
            raise ValueError(
                f"attack {self.name!r}: expected an array of {noun} numbers of shape {own.shape}, "
                f"as view.own, with a row for each Byzantine worker; got {described(returned)}"
            )
        with np.errstate(over="ignore"):  # a float64 beyond float32 is sent as infinity
            return rows.astype(own.dtype, copy=False)


def attack(
    *,
    knowledge: Knowledge,
    stage: Stage,
    truth: bool = False,
    past: bool = False,
    parts: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Attack]:
    """Declare a function `f(view, *, option=default, ...) -> [b, N]` as an attack.

    Parameters
    ----------
    knowledge, stage, truth, past, parts
        As in `Attack`.

    Raises
    ------
    ValueError
        For a level or a stage that does not exist, and for what does not go together.

    Examples
    --------
    >>> @attack(knowledge="own", stage="gradient")
    ... def backwards(view):
    ...     return view.own[:, ::-1]
    >>> backwards(View(np.array([[1.0, 2.0]]), (), 3))
    array([[2., 1.]])
    """
    for name, value, literal in (("knowledge", knowledge, Knowledge), ("stage", stage, Stage)):
        if value not in get_args(literal):
            raise ValueError(f"{name} must be one of {get_args(literal)}, got {value!r}")
    if truth and not knows(knowledge, "omniscient"):
        raise ValueError(f"truth=True needs knowledge 'omniscient' or 'server', got {knowledge!r}")
    if stage == "data" and (knowledge != "own" or past):
        raise ValueError(
            f"stage 'data' needs knowledge 'own' and past=False, got {knowledge!r} and {past}"
        )
    return lambda function: Attack(function, knowledge, stage, truth, past, parts)
