"""An attack: a pure function, with what it declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from signfed.attacks.core.data import Batch, Trigger
from signfed.attacks.core.rows import as_asked
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
        On the labels and images of a batch; before the encoder; or on the values that the server
        would decode, so that on a sign channel a flip is a flipped bit, exact zeros included.
    truth : bool
        Whether it needs the gradient over the whole training set.
    past : bool
        Whether it needs the model, what the server did last, or a memory.
    rule : bool
        Whether it asks the server's rule what it would do (local engine only).
    parts : tuple of str
        Names of its options that name other attacks. `build` binds those attacks to them.
    tensors : bool
        Whether it takes torch tensors in place of arrays, as `signfed.attacks.core.arrays` helps
        to. On a GPU its rows then stay there; those of other attacks go through the CPU. An attack
        with knowledge "own" may then get several workers' rows at once, and has to make each one's
        of its own alone.
    makes_trigger : callable or None
        From those of its options that it has as parameters to the trigger of a backdoor.
    options : mapping
        Options that are bound to it.
    """

    function: Callable[..., Any]
    knowledge: Knowledge
    stage: Stage
    truth: bool = False
    past: bool = False
    rule: bool = False
    parts: tuple[str, ...] = ()
    tensors: bool = False
    makes_trigger: Callable[..., Trigger] | None = None
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

    @property
    def made_of(self) -> list[Attack]:
        """The attacks that are bound to its parts."""
        bound = [part for name in self.parts for part in self.options.get(name, ())]
        return [part for part in bound if isinstance(part, Attack)]

    @property
    def trigger(self) -> Trigger | None:
        """What its backdoor, or that of one of its parts, reacts to; None without a backdoor."""
        if self.makes_trigger is None:
            return next((part.trigger for part in self.made_of if part.trigger), None)
        settings = {**self.arguments, **self.options}
        asked = inspect.signature(self.makes_trigger).parameters
        return self.makes_trigger(**{name: settings[name] for name in asked})

    def bind(self, **options: Any) -> Attack:
        """Return the same attack with these options; it knows what its parts know, too.

        Parameters
        ----------
        options
            By name; for a part, the attacks themselves.

        Raises
        ------
        OptionError
            For a value outside its range, or an option that the attack does not have.
        """
        known(self.function, f"attack {self.name!r}", options)
        for option in options_of(self.function):
            if option.name in options and option.name not in self.parts:
                options[option.name] = option.check(options[option.name])
        bound = replace(self, options={**self.options, **options})
        levels = [self.knowledge, *(part.knowledge for part in bound.made_of)]
        return replace(
            bound,
            knowledge=max(levels, key=get_args(Knowledge).index),
            truth=self.truth or any(part.truth for part in bound.made_of),
            past=self.past or any(part.past for part in bound.made_of),
            rule=self.rule or any(part.rule for part in bound.made_of),
            tensors=self.tensors and all(part.tensors for part in bound.made_of),
        )

    def at(
        self, server_round: int, seed: int, ids: tuple[int, ...]
    ) -> tuple[Attack, tuple[int, ...]]:
        """Return what is done in a round, and who does it.

        Parameters
        ----------
        server_round : int
            Number of the round, 1, 2, ...
        seed : int
            Seed of the run.
        ids : tuple of int
            The Byzantine workers.

        Returns
        -------
        Attack
            With what it declares and no other attack behind it.
        tuple of int
            The workers that attack; the others are honest in the round.
        """
        return self, ids

    def __call__(self, view: View, **options: Any) -> np.ndarray:
        """Craft the rows of a view.

        Parameters
        ----------
        view : View
            What the attack sees.
        options
            Bound for this call.

        Returns
        -------
        ndarray [b, N]
            In the type of `view.own`; for an attack on the data, the labels.

        Raises
        ------
        ValueError
            When the function returns anything but numbers in the shape of `view.own`, or labels
            that do not exist. NaN is allowed.
        """
        bound = self.bind(**options) if options else self
        if bound.stage == "data":
            return bound.poison(view).labels
        return as_asked(self.name, bound.function(view, **bound.options), view.own)

    def poison(self, view: View) -> Batch:
        """Change the batches of a view, for an attack on the data.

        Parameters
        ----------
        view : View
            Of labels and, where there are any, images.

        Returns
        -------
        Batch
            Labels [b, n] and images; None where they stay as they are.

        Raises
        ------
        ValueError
            When the function returns no labels that exist, or images of another shape.
        """
        returned = self.function(view, **self.options)
        batch = returned if isinstance(returned, Batch) else Batch(returned)
        labels = as_asked(self.name, batch.labels, view.own, whole=True)
        if ((labels < 0) | (labels >= view.n_classes)).any():
            raise ValueError(
                f"attack {self.name!r}: expected labels from 0 to {view.n_classes - 1}, "
                f"got labels from {labels.min()} to {labels.max()}"
            )
        images = batch.images
        if images is not None:
            images = as_asked(self.name, images, view.images, like="images")
        return Batch(labels, images, float(batch.boost))


def attack(
    *,
    knowledge: Knowledge,
    stage: Stage,
    truth: bool = False,
    past: bool = False,
    rule: bool = False,
    parts: tuple[str, ...] = (),
    trigger: Callable[..., Trigger] | None = None,
    tensors: bool = False,
) -> Callable[[Callable[..., Any]], Attack]:
    """Declare a function `f(view, *, option=default, ...) -> [b, N]` as an attack.

    Parameters
    ----------
    knowledge, stage, truth, past, rule, parts, tensors
        As in `Attack`.
    trigger : callable, optional
        For a backdoor, whose success is then measured: `makes_trigger` of `Attack`.

    Returns
    -------
    callable
        Function -> Attack.

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
    for name, asked in (("truth", truth), ("rule", rule)):
        if asked and not knows(knowledge, "omniscient"):
            raise ValueError(
                f"{name}=True needs knowledge 'omniscient' or 'server', got {knowledge!r}"
            )
    if stage == "data" and (knowledge != "own" or past):
        raise ValueError(
            f"stage 'data' needs knowledge 'own' and past=False, got {knowledge!r} and {past}"
        )
    return lambda function: Attack(
        function, knowledge, stage, truth, past, rule, parts, tensors, trigger
    )
