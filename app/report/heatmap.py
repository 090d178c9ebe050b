"""A quantity in a table of colours, the value printed in each field."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from signfed.app.report.fields import draw_fields, draw_scale
from signfed.app.report.rows import SHARES, Rows, chosen, ended, grouped, label, shown, values_of
from signfed.app.report.style import INK, figure_of, in_per_cent
from signfed.app.report.worth import broken, score, worst_is

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = 9  # of a title, in an inch
SMALL_LETTERS = 14  # of the scale's label, in an inch
COLOURS = "cividis"  # the same order of light and dark for every colour vision


def means(rows: Rows, by: tuple[str, ...], value: str) -> dict[tuple[Hashable, ...], float]:
    """Return the mean of a column over the runs that ended, by their values of other columns.

    Parameters
    ----------
    rows : sequence of mapping
        Of cells. One whose value is null (not finite), or whose run diverged, makes the mean NaN;
        those of runs that failed, or are under way, do not count.
    by : tuple of str
        Columns.
    value : str
        Column.

    Returns
    -------
    dict
        Values of `by` -> mean.
    """
    return {
        at: float(np.mean([score(row, value) for row in group]))
        for at, group in grouped(_having(rows, value), by).items()
    }


def _having(rows: Rows, value: str) -> Rows:
    """Those that have a value, or whose model broke where the value is its worth."""
    return [row for row in ended(rows) if value in row or broken(row, value)]


def worst_values(
    found: Mapping[tuple[Hashable, ...], float], column: str
) -> dict[tuple[Hashable, ...], tuple[float, Hashable]]:
    """Return the worst value over the last of the keys, and where it is; NaN is worse than all.

    >>> found = {("krum", "lie"): 0.3, ("krum", "ipm"): 0.2, ("mean", "lie"): 0.1}
    >>> worst_values(found, "final_test_accuracy")
    {('krum',): (0.2, 'ipm'), ('mean',): (0.1, 'lie')}
    >>> worst_values(found, "final_test_loss")
    {('krum',): (0.3, 'lie'), ('mean',): (0.1, 'lie')}

    Parameters
    ----------
    found : mapping
        Keys -> value.
    column : str
        What the values are of: of a loss the highest is the worst, of all else the lowest.
    """
    sign = -1 if worst_is(column) == "highest" else 1
    worst: dict[tuple[Hashable, ...], tuple[float, Hashable]] = {}
    for (*at, last), value in found.items():
        known = worst.get(tuple(at))
        if known is None or np.isnan(value) or sign * value < sign * known[0]:
            worst[tuple(at)] = (value, last)
    return worst


def reach(values: Iterable[float]) -> tuple[float, float]:
    """Return the lowest and the highest finite value, never twice the same.

    >>> reach([0.5, float("nan"), 0.25])
    (0.25, 0.5)

    Parameters
    ----------
    values : iterable of float
        Any.
    """
    finite = [value for value in values if np.isfinite(value)] or [0.0]
    return min(finite), max(max(finite), min(finite) + 1e-9)


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
        Column over which the worst mean is taken, of a loss the highest: "attack", say. "" for
        none.
    limits : tuple of float, optional
        Values of the first and the last colour; by default the lowest and the highest shown.
    """

    rows: str
    columns: str
    value: str
    title: str = ""
    split: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    worst: str = ""
    limits: tuple[float, float] | None = None

    @property
    def of_rounds(self) -> bool:
        """Whether its rows are those of rounds."""
        return False

    def table(self, rows: Rows) -> dict[tuple[Hashable, ...], float]:
        """Return what the fields hold.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        dict
            (row, column) -> mean over the seeds, the worst one over `worst`.
        """
        rows, by = chosen(rows, self.where), (self.rows, self.columns)
        if not self.worst:
            return means(rows, by, self.value)
        found = worst_values(means(rows, (*by, self.worst), self.value), self.value)
        return {at: value for at, (value, _) in found.items()}

    def draw(self, rows: Rows) -> Figure:
        """Draw it.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        Figure
            One axes a panel, and one for the scale. A field without a value is empty; one whose
            value is not finite says so.
        """
        rows = chosen(rows, self.where)
        parts = values_of(rows, self.split) if self.split else []
        names = values_of(rows, self.rows), values_of(rows, self.columns)
        longest = max((len(shown(name)) for name in names[0]), default=1)
        width = max(4.2, 1.3 + 0.09 * longest + 0.6 * len(names[1]))
        figure, panels = figure_of(
            len(parts) or 1,
            width=width,
            height=1.9 + 0.34 * len(names[0]),
        )
        tables = [
            self.table(chosen(rows, {self.split: p}) if parts else rows) for p in parts or [0]
        ]
        limits = self.limits or reach(v for table in tables for v in table.values())
        for axes, table, part in zip(panels, tables, parts or [None], strict=True):
            mesh = self._draw_panel(axes, table, names, limits)
            heading = f"{label(self.split)}: {shown(part)}" if parts else self.title
            axes.set_title(fill(heading, int(LETTERS * (width - 1.3))), loc="left")
        room = int(SMALL_LETTERS * (width * min(len(tables), 2) - 1.3))
        scale = draw_scale(figure, mesh, panels, self._says(rows, room))
        if self.value in SHARES:
            in_per_cent(scale.ax.xaxis)
        if parts:
            figure.suptitle(self.title, x=0.01, ha="left", color=INK, fontsize=12)
        return figure

    def _says(self, rows: Rows, room: int) -> str:
        """What the colours stand for, in a line of so many letters, or in two."""
        split = (self.split,) if self.split else ()
        keys = (self.rows, self.columns, *((self.worst,) if self.worst else ()), *split)
        most = max(grouped(_having(rows, self.value), keys).values(), key=len, default=[])
        says = [label(self.value)]
        if len(most) > 1:
            seeds = {row.get("seed") for row in most}
            says.append(f"mean of {len(most)} {'seeds' if len(seeds) == len(most) else 'runs'}")
        over = f"\n{worst_is(self.value)} over {label(self.worst)}" if self.worst else ""
        line = ", ".join(says)
        return (line if len(line) <= room else ",\n".join(says)) + over

    def _draw_panel(
        self,
        axes: Axes,
        table: Mapping[Any, float],
        names: tuple[list, list],
        limits: tuple[float, float],
    ) -> Any:
        values = np.full((len(names[0]), len(names[1])), np.nan)
        texts = [[""] * len(names[1]) for _ in names[0]]
        for row, column in np.ndindex(values.shape):
            at = names[0][row], names[1][column]
            if at in table:
                values[row, column] = table[at]
                texts[row][column] = self._field(table[at])
        axes.set(xlabel=label(self.columns), ylabel=label(self.rows))
        heads = [shown(name) for name in names[0]], [shown(name) for name in names[1]]
        return draw_fields(axes, values, texts, heads, limits=limits, colours=COLOURS)

    def _field(self, value: float) -> str:
        if not np.isfinite(value):
            return "n. f."  # not finite
        return f"{100 * value:.1f}" if self.value in SHARES else f"{value:.3g}"
