"""An attack: a pure function, with what it declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from signfed.attacks.core.data import Batch, Trigger
from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past
from signfed.attacks.core.rows import as_asked
from signfed.attacks.core.view import Knowledge, Rehearse, Stage, View, knows
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
        rehearse: Rehearse,
        findings: Findings,
        n_classes: int | None,
        images: Callable[[int], np.ndarray] | None = None,
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
        rehearse : callable
            Asks the rule.
        images : callable, optional
            Worker -> the images of its batch, float32 [n, C, H, W], for an attack on the data.
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
        if self.rule:
            peers = dict(zip(others, sees["honest"], strict=True))

            def aggregate(sent: np.ndarray) -> np.ndarray:
                rows = as_asked(self.name, sent, own)  # in the type in which they would be sent
                return rehearse(peers, dict(zip(active, rows, strict=True)))

            sees["aggregate"] = aggregate
        if self.stage == "data":
            sees["n_classes"] = n_classes
            sees["images"] = np.stack([images(worker) for worker in active]) if images else None
        draws = tuple(generator(worker) for worker in active)
        return View(own, draws, n_total, server_round=server_round, **sees)

    def __call__(self, view: View, **options: Any) -> np.ndarray:
        """Craft the rows of a view: [b, N], in the type of `view.own`; of a batch, the labels.

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
        """Change the batches of a view, for an attack on the data: labels [b, n], and images.

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
) -> Callable[[Callable[..., Any]], Attack]:
    """Declare a function `f(view, *, option=default, ...) -> [b, N]` as an attack.

    Parameters
    ----------
    knowledge, stage, truth, past, rule, parts
        As in `Attack`.
    trigger : callable, optional
        For a backdoor, whose success is then measured: `makes_trigger` of `Attack`.

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
    return lambda function: Attack(function, knowledge, stage, truth, past, rule, parts, trigger)
