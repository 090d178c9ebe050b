"""Pictures of rows: each kind says what it needs, and draws a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Lines:
    """A quantity over another, one line for each value of `by`, with the band of the seeds.

    Attributes
    ----------
    x, y : str
        Columns. With x = "round" the rows are those of rounds, else those of cells.
    by : str or sequence of str
        Columns that tell the lines apart.
    title : str
    split : str
        Column that makes a panel of each of its values; "" for one panel.
    where : mapping
        Only rows that have these values.
    log_x : bool
    """

    x: str
    y: str
    by: str | Sequence[str]
    title: str = ""
    split: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    log_x: bool = False

    def draw(self, rows: Rows) -> Figure:
        """Draw it.

        Parameters
        ----------
        rows : sequence of mapping

        Returns
        -------
        Figure
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Heatmap:
    """A quantity in a table of colours; several rows of one field become their mean.

    Attributes
    ----------
    rows, columns, value : str
        Columns of the rows given.
    title, split : str
        As in `Lines`.
    where : mapping
        As in `Lines`.
    worst : str
        Column over which the lowest mean is taken: "attack", say. "" for none.
    """

    rows: str
    columns: str
    value: str
    title: str = ""
    split: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    worst: str = ""

    def draw(self, rows: Rows) -> Figure:
        """Draw it.

        Parameters
        ----------
        rows : sequence of mapping

        Returns
        -------
        Figure
        """
        raise NotImplementedError
