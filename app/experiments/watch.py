"""Who hears how a sweep goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signfed.app.experiments.cells import Cell
from signfed.app.experiments.manifest import Manifest
from signfed.app.experiments.plan import Step
from signfed.app.experiments.work import Outcome


class Watch(Protocol):
    """Who hears how a sweep goes on."""

    def planned(self, steps: Sequence[Step], slots: int, manifest: Manifest) -> None:
        """Take what is done and what will run, before the first cell starts.

        Parameters
        ----------
        steps : sequence of Step
        slots : int
            Cells that run at a time.
        manifest : Manifest
            Of the sweep, as it grows.
        """

    def ended(self, cell: Cell, outcome: Outcome, again: bool) -> None:
        """Take a cell that has ended.

        Parameters
        ----------
        cell : Cell
        outcome : Outcome
        again : bool
            Whether it failed and will be tried again.
        """

    def wrote(self, remarks: str) -> None:
        """Take the end: the results are there; what is not among them and why, or ""."""


class Unwatched(Watch):
    """A Watch that says nothing."""

    def planned(self, steps: Sequence[Step], slots: int, manifest: Manifest) -> None: ...
    def ended(self, cell: Cell, outcome: Outcome, again: bool) -> None: ...
    def wrote(self, remarks: str) -> None: ...
