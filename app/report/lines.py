"""A quantity over another: a line for each value of a column, with the band of the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from signfed.app.report.rows import (
    SHARES,
    Rows,
    chosen,
    ended,
    grouped,
    label,
    number,
    shown,
    values_of,
)  # fmt: skip
from signfed.app.report.style import (
    COLOURS,
    INK,
    figure_of,
    in_per_cent,
    legend,
    line_styles,
    logarithmic,
)
from signfed.app.report.worth import score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_ROUND = ("round", "uplink_megabytes", "downlink_megabytes", "megabytes")
MOST_POINTS = 200  # of a line; more than the pixels of a phone can tell apart
MOST_MARKERS = 12
LETTERS = 48  # of a title, above a panel


class Curve(NamedTuple):
    """One line: its mean over the seeds, and how far they reach.

    Attributes
    ----------
    x, mean, low, high : ndarray, float64 [n]
        Ascending in x; NaN where a seed's value is not finite.
    seeds, fewest : int
        The most and the fewest values that a point has.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    fewest: int


def curve_of(rows: Rows, x: str, y: str) -> Curve:
    """Take the mean and the range of y at each x, or in each round where x is counted in rounds.

    A line over rounds ends where the first of its runs does, by `stop-when` say: the mean of the
    runs that are left would fall where the good ones were done early.

    Parameters
    ----------
    rows : sequence of mapping
        Of one line; those that lack x or y do not count, nor do those of runs that failed or are
        under way, except over rounds where no other is there.
    x, y : str
        Columns.

    Returns
    -------
    Curve

    Examples
    --------
    >>> rows = [{"f": 1, "a": 0.5}, {"f": 1, "a": 0.7}, {"f": 2, "a": 0.4}, {"f": 3}]
    >>> curve = curve_of(rows, "f", "a")
    >>> curve.x.tolist(), curve.mean.round(3).tolist(), curve.high.tolist(), curve.seeds
    ([1.0, 2.0], [0.6, 0.4], [0.7, 0.4], 2)
    """
    of_rounds = x in PER_ROUND
    counted = [row for row in rows if y in row and isinstance(row.get(x), int | float)]
    counted = ended(counted) or (counted if of_rounds else [])
    at = "round" if of_rounds and all("round" in row for row in counted) else x
    groups = list(grouped(counted, (at,)).values())
    seeds = max(map(len, groups), default=0)
    groups = [group for group in groups if len(group) == seeds or not of_rounds]
    points = []
    for group in groups:
        ys = np.array([number(row[y]) if of_rounds else score(row, y) for row in group])
        points.append((np.mean([row[x] for row in group]), ys.mean(), ys.min(), ys.max()))
    columns = np.array(sorted(points), dtype=np.float64).reshape(-1, 4).T
    fewest = min(map(len, groups), default=0)
    return Curve(columns[0], columns[1], columns[2], columns[3], seeds, fewest)


def thinned(curve: Curve, most: int = MOST_POINTS) -> Curve:
    """Return at most so many points of a curve, evenly spaced, the first and the last among them.

    Parameters
    ----------
    curve : Curve
        Any.
    most : int
        At least 2.

    Returns
    -------
    Curve
    """
    n = len(curve.x)
    kept = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    x, mean, low, high = (column[kept] for column in curve[:4])
    return Curve(x, mean, low, high, *curve[4:])


@dataclass(frozen=True)
class Lines:
    """A quantity over another, one line for each value of `by`, with the band of the seeds.

    The band reaches from the lowest to the highest value at each x, and the legend says so.

    Attributes
    ----------
    x, y : str
        Columns. Where `x` is one of `PER_ROUND` the rows are those of rounds, else those of cells.
    by : str or sequence of str
        Columns that tell the lines apart; empty for one line.
    title : str
    split : str
        Column that makes a panel of each of its values; "" for one panel.
    where : mapping
        Only rows that have these values; a list stands for any of its values.
    log_x, log_y : bool
    references : mapping
        Label -> height of a thin horizontal line: a published number, say.
    """

    x: str
    y: str
    by: str | Sequence[str]
    title: str = ""
    split: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    log_x: bool = False
    log_y: bool = False
    references: Mapping[str, float] = field(default_factory=dict)

    @property
    def of_rounds(self) -> bool:
        """Whether its rows are those of rounds."""
        return self.x in PER_ROUND

    @property
    def _by(self) -> tuple[str, ...]:
        return (self.by,) if isinstance(self.by, str) and self.by else tuple(self.by)

    def draw(self, rows: Rows) -> Figure:
        """Draw it.

        Parameters
        ----------
        rows : sequence of mapping
            Of rounds or of cells; see `of_rounds`.

        Returns
        -------
        Figure
            One axes a panel. A panel without a value says so.
        """
        everything, rows = rows, chosen(rows, self.where)
        parts = values_of(rows, self.split) if self.split else []
        values = grouped(rows, self._by)
        figure, panels = figure_of(
            len(parts) or 1, below=0.2 * -(-len(values) // 2) if self._by else 0.0
        )
        known = grouped(everything, self._by)  # a value looks alike in every picture of these rows
        styles = dict(
            zip(known if len(known) <= len(COLOURS) else values, line_styles(), strict=False)
        )
        counts: list[int] = []
        for axes, part in zip(panels, parts or [None], strict=True):
            here = chosen(rows, {self.split: part}) if parts else rows
            counts += self._draw_panel(axes, here, styles)
            heading = f"{label(self.split)}: {shown(part)}" if parts else self.title
            axes.set_title(fill(heading, LETTERS), loc="left")
        if parts:
            figure.suptitle(self.title, x=0.01, ha="left", color=INK, fontsize=12)
        fewest, seeds = min(counts, default=0), max(counts, default=0)
        of = f"{seeds}" if fewest == seeds else f"{fewest} to {seeds}"
        note = f"mean of {of} seeds, band: lowest to highest" if seeds > 1 else ""
        if self._by:
            legend(figure, panels, " / ".join(map(label, self._by)), note)
        elif note:
            figure.supxlabel(note, fontsize=9, color=INK)
        return figure

    def _draw_panel(self, axes: Axes, rows: Rows, styles: Mapping[Any, Any]) -> list[int]:
        """Draw its lines; return the most and the fewest seeds of each."""
        counts: list[int] = []
        for value, group in grouped(rows, self._by).items():
            curve = thinned(curve_of(group, self.x, self.y))
            if not len(curve.x):
                continue
            counts += [curve.seeds, curve.fewest]
            style = styles[value]
            name = ", ".join(map(shown, value)) or label(self.y)
            every = max(1, len(curve.x) // MOST_MARKERS)
            axes.plot(
                curve.x, curve.mean, label=name, markevery=every, markersize=4.5, linewidth=1.6,
                **style,
            )  # fmt: skip
            if curve.seeds > 1:
                axes.fill_between(
                    curve.x, curve.low, curve.high, color=style["color"], alpha=0.2, linewidth=0
                )
        for name, height in self.references.items():
            axes.axhline(height, color=INK, linewidth=1, linestyle=(0, (1, 2)))
            axes.annotate(
                name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=8, color=INK,
            )  # fmt: skip
        if not counts:
            axes.text(0.5, 0.5, "no values yet", transform=axes.transAxes, ha="center", color=INK)
        self._label(axes)
        return counts

    def _label(self, axes: Axes) -> None:
        axes.set(xlabel=label(self.x), ylabel=label(self.y))
        for axis, log in (("x", self.log_x), ("y", self.log_y)):
            if log:
                logarithmic(axes, axis)
        if self.y in SHARES:
            in_per_cent(axes.yaxis)
