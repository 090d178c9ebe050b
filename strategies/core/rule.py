"""What an aggregation rule is: one method on the updates of a round, and what surrounds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.core.fallback import fallback
from signfed.strategies.core.matrix import Row, as_edges, as_reference, as_rows
from signfed.strategies.core.options import checked
from signfed.strategies.core.updates import Updates

# Tensors by name: what has to be saved for a run to go on.
State = dict[str, Tensor]


class Rule(ABC):
    """An aggregation rule without a federation around it: arrays in, arrays out.

    A subclass writes `aggregate`. State between rounds is kept in its own attributes and returned
    from `state_dict`. Options are keyword arguments of the constructor, declared as in
    `signfed.strategies.core.options`, and are checked in every call of it.

    Attributes
    ----------
    encoder : str
        The encoder that the rule asks its clients for.
    judges : bool
        Whether `accepted` in its findings is a verdict on each worker; krum takes a fixed number.
    remembers_workers : bool
        Whether it matters to the rule which worker a row is of.
    needs_reference : bool
        Whether the rule needs the server's own gradient of the round, `Updates.reference`.
    reads : bool
        Whether `aggregate` calls `Updates.read` in each round, before it remembers anything. It is
        said of one `aggregate`: a class that writes another one says it again.
    sorts : bool
        Whether `aggregate` sorts the rows, value by value, which takes room on a device.
    kept_bytes : int
        What the rule keeps between rounds of each coordinate of each worker.
    coded : bool
        Whether workers send votes on several partitions, by the allocation in `instructions`:
        each worker is then needed in every round, and has no gradient to keep a momentum of.
    """

    encoder: str = "sign"
    judges: bool = False
    remembers_workers: bool = False
    needs_reference: bool = False
    reads: bool = False
    sorts: bool = False
    kept_bytes: int = 0
    coded: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]
        says = next(vars(c) for c in cls.__mro__ if {"aggregate", "reads"} & vars(c).keys())
        if "reads" not in says:
            cls.reads = False

    @abstractmethod
    def aggregate(self, updates: Updates) -> Tensor:
        """Turn the updates of a round into one descent direction.

        Parameters
        ----------
        updates : Updates
            One row per worker whose update is valid, by ascending worker id; not to be changed.

        Returns
        -------
        Tensor
            float32 [N], on any device. A NumPy array of N real numbers is taken too.
        """

    def __call__(
        self,
        matrix: np.ndarray | Tensor | Sequence[Row],
        *,
        server_round: int = 1,
        reference: Row | None = None,
        edges: Sequence[int] = (),
    ) -> np.ndarray | Tensor:
        """Aggregate the rows of a matrix, as a federation would in one round.

        Rows with a value that is not finite are dropped. Where the rule does not admit the number
        of rows that are left, `fallback` answers in its place. A rule on signs takes the signs of
        the rows; a rule with memory remembers from call to call.

        Parameters
        ----------
        matrix : ndarray or Tensor, numeric [n, N], or list or tuple of n rows
            One row per worker. It is not changed.
        server_round : int
            For rules that draw: a function of seed and round.
        reference : ndarray, Tensor or sequence of N numbers, optional
            The server's own gradient, for a rule that says `needs_reference`.
        edges : sequence of int, optional
            Where the model's parameter tensors begin and end, from 0 to N; one layer by default.

        Returns
        -------
        ndarray or Tensor, float32 [N]
            A tensor on the same device where a tensor or a list of tensors was given, else an
            array.

        Raises
        ------
        TypeError
            When the matrix is none of these types.
        ValueError
            For rows that form no matrix, an n that the rule does not admit, a matrix without a
            finite row, or a reference that is missing or does not fit.
        """
        rows = as_rows(matrix)
        own = None if reference is None else as_reference(reference, rows)
        if self.needs_reference and own is None:
            raise ValueError(
                f"{self.title()} needs the server's own gradient; expected reference=, "
                f"{rows.shape[1]} numbers; got none"
            )
        if problem := self.admissible(len(rows)):
            raise ValueError(problem)
        finite = torch.isfinite(rows).all(dim=1).cpu()
        if not finite.any():
            raise ValueError("expected at least one row of finite values; got none")
        updates = Updates.from_matrix(
            rows[finite.to(rows.device)], torch.arange(len(rows))[finite],
            server_round=server_round, signs=self.encoder == "sign",
        )  # fmt: skip
        updates = replace(updates, reference=own, edges=as_edges(edges, rows.shape[1]))
        direction = answer(self, updates)
        first = matrix[0] if isinstance(matrix, list | tuple) else matrix
        return direction if isinstance(first, Tensor) else direction.cpu().numpy()

    def admissible(self, n: int) -> str | None:
        """Say why the rule cannot serve n updates, with the admissible range; None when it can."""
        return None

    def check(self, num_workers: int, num_rounds: int) -> None:
        """Raise ValueError when the rule cannot serve such a run. Called before it starts.

        Parameters
        ----------
        num_workers : int
            Workers that a round asks.
        num_rounds : int
            Rounds of the run.
        """
        if problem := self.admissible(num_workers):
            raise ValueError(problem)

    def instructions(self, num_workers: int) -> dict[str, Any]:
        """Return what the rule has to tell its clients with each model: fields of "config"."""
        return {}

    def diagnostics(self) -> dict[str, Any]:
        """Return what the rule found out in the last round, as JSON values by name."""
        return {}

    def state_dict(self) -> State:
        """Return the state between two rounds as plain tensors; empty for a stateless rule."""
        return {}

    def load_state_dict(self, state: State) -> None:  # noqa: B027 - a stateless rule has none
        """Put back what `state_dict` returned."""

    def forget_workers(self, workers: Collection[int]) -> None:  # noqa: B027 - as above
        """Drop what is kept of these workers, so that a long run does not grow; none comes back.

        Called where anybody may take part, before a round, for nodes that have long been away.

        Parameters
        ----------
        workers : collection of int
            Worker ids, of which the rule may know some or none.
        """

    def describe(self) -> str:
        """Return the rule's name and options; those of a rule behind a pre-aggregation too."""
        own = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        options = {
            k: v for k, v in own.items() if isinstance(v, int | float | str) and k not in vars(Rule)
        }
        behind = [rule.describe() for rule in own.values() if isinstance(rule, Rule)]
        return " before ".join([f"{type(self).__name__} {options}", *behind])

    def title(self) -> str:
        """Return the class's name, as in "Bucketing(Krum)" with a rule behind a pre-aggregation."""
        behind = [rule.title() for rule in vars(self).values() if isinstance(rule, Rule)]
        return f"{type(self).__name__}({', '.join(behind)})" if behind else type(self).__name__


def answer(rule: Rule, updates: Updates) -> Tensor:
    """Return the rule's direction, float32 [N]; the fallback's where it does not admit so few.

    Parameters
    ----------
    rule : Rule
        Which rule.
    updates : Updates
        The rows of the round, at least one.
    """
    return direction_of(rule, updates) if rule.admissible(updates.n) is None else fallback(updates)


def direction_of(rule: Rule, updates: Updates) -> Tensor:
    """Call the rule, and check what it returns.

    Parameters
    ----------
    rule : Rule
        Which rule.
    updates : Updates
        The rows of the round.

    Returns
    -------
    Tensor, float32 [N]
        Where the updates lie.

    Raises
    ------
    ValueError
        When the rule returns anything but N real numbers in a tensor or an array.
    """
    found = rule.aggregate(updates)
    n = updates.n_coordinates
    expected = f"{rule.title()}.aggregate: expected a vector of {n} values, float32 [{n}]"
    if isinstance(found, np.ndarray) and found.dtype.kind in "fiu":
        found = torch.from_numpy(found.astype(np.float32))
    if not isinstance(found, Tensor):
        kind = type(found).__name__
        kind += f" of {found.dtype}" if isinstance(found, np.ndarray) else ""
        raise ValueError(f"{expected}; got {kind}; return a tensor or a NumPy array of numbers")
    if found.shape != (n,):
        raise ValueError(f"{expected}; got shape {tuple(found.shape)}")
    if found.is_complex() or found.dtype == torch.bool:
        raise ValueError(f"{expected}; got {found.dtype}; return real numbers")
    return found.to(updates.rows.device, torch.float32)
