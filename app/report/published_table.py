"""A paper's table with ours beside it: published value, ours, difference, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from signfed.app.report.document import Table
from signfed.app.report.fields import draw_fields, draw_scale
from signfed.app.report.published import (
    LEGEND,
    MARKS,
    NOT_TRIED,
    UNDECIDED,
    Judge,
    Published,
    within,
)
from signfed.app.report.rows import Rows, chosen, ended, grouped, label, number, shown
from signfed.app.report.style import figure_of
from signfed.app.report.worth import broken, worst_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HALF_A_POINT = within(0.5)
PER_CENT = 100.0


@dataclass(frozen=True)
class PublishedTable:
    """A paper's table: rows by columns, each field the published value, ours and the difference.

    Attributes
    ----------
    rows, columns, value : str
        Columns of the rows given: "strategy", "attack", "best_test_accuracy".
    published : mapping
        (row, column), as our rows call them, -> the paper's value.
    title : str
    scale : float
        Ours times it has the paper's unit: 100 for per cent.
    judge : callable
        Published, of which something ran -> its verdict; see `within`. By default within half a
        point.
    names : mapping
        What the paper calls a row or a column -> for the heads of the table, by our value.
    where : mapping
        As in `Lines`.
    digits : int
        Digits after the point.
    """

    rows: str
    columns: str
    value: str
    published: Mapping[tuple[Any, Any], float]
    title: str = ""
    scale: float = PER_CENT
    judge: Judge = HALF_A_POINT
    names: Mapping[Any, str] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    digits: int = 1

    @property
    def of_rounds(self) -> bool:
        """Whether its rows are those of rounds."""
        return False

    def cells(self, rows: Rows) -> list[Published]:
        """Return every published field with ours, in the paper's order.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells. A value that is null (not finite) is ours, and holds nowhere. Of a run that
            diverged a final accuracy counts as 0, whatever it was before; the best one and what is
            measured of the rounds count as they were. Where a run failed the field shows the
            others, and is not decided.

        Returns
        -------
        list of Published
        """
        found = grouped(
            ({**row, self.value: worst_of(self.value)} if broken(row, self.value) else row
             for row in chosen(rows, self.where)),
            (self.rows, self.columns),
        )  # fmt: skip
        return [self._cell(at, value, found.get(at, [])) for at, value in self.published.items()]

    def _cell(self, at: tuple[Any, Any], value: float, group: Rows) -> Published:
        whole = ended(group)
        having = [row for row in whole if self.value in row]
        says = UNDECIDED if len(whole) < len(group) else NOT_TRIED
        if not having:
            return Published(*at, value, verdict=says, whole=says == NOT_TRIED)
        ours = self.scale * np.array([number(row[self.value]) for row in having])
        mean, all_there = float(ours.mean()), len(whole) == len(group)
        cell = Published(*at, value, mean, says, tuple(ours.tolist()), all_there)
        return replace(cell, verdict=self.judge(cell)) if all_there else cell

    def _grid(
        self, found: Sequence[Published]
    ) -> tuple[list[str], list[tuple[str, list[Published | None]]]]:
        """The names of the columns, and of each row the name and the cells."""
        cells = {(cell.row, cell.column): cell for cell in found}
        columns = list(dict.fromkeys(column for _, column in cells))
        lines = list(dict.fromkeys(row for row, _ in cells))
        heads = list(map(self._name, columns))
        return heads, [(self._name(r), [cells.get((r, c)) for c in columns]) for r in lines]

    def _name(self, value: Any) -> str:
        return self.names.get(value, shown(value))

    @property
    def _measured(self) -> str:
        """What the numbers are of; in per cent only where they are scaled."""
        name = label(self.value)
        return name if self.scale == PER_CENT else name.removesuffix(" (%)")

    def _parts(self, cell: Published) -> tuple[str, str]:
        """Ours, which is empty where nothing ran, and the published value in brackets."""
        ours = ""
        if cell.ours is not None:
            ours = f"{cell.ours:.{self.digits}f}" if np.isfinite(cell.ours) else "not finite"
        return ours, f"({cell.published:.{self.digits}f})"

    def _drawn(self, cell: Published) -> str:
        """Ours with its mark, and below it the published value."""
        ours, published = self._parts(cell)
        return f"{ours} {MARKS[cell.verdict]}\n{published}"

    def _written(self, cell: Published | None) -> str:
        """The same in one line, with the difference."""
        if cell is None:
            return ""
        gap = number(cell.difference)
        gap = round(gap, self.digits) + 0.0  # never "-0.0"
        difference = f"{gap:+.{self.digits}f}" if np.isfinite(gap) else ""
        return " ".join(filter(None, (*self._parts(cell), difference, MARKS[cell.verdict])))

    def text(self, rows: Rows) -> Table | None:
        """Return it as text, without the rows and columns in which nothing was tried.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        Table or None
            In the paper's layout; None where nothing at all was tried.
        """
        found = self.cells(rows)
        tried = [cell for cell in found if cell.verdict != NOT_TRIED]
        if not tried:
            return None
        lines, columns = {cell.row for cell in tried}, {cell.column for cell in tried}
        heads, fields = self._grid([c for c in found if c.row in lines and c.column in columns])
        says = (
            f"{self.title or 'As published'}: {self._measured}, ours, the published value in "
            f"brackets, the difference; {LEGEND}. Tried: {len(tried)} of {len(found)} published "
            f"cells; not tried: {len(found) - len(tried)}."
        )
        return Table(
            [label(self.rows), *heads],
            [[name, *map(self._written, cells)] for name, cells in fields], says,
        )  # fmt: skip

    def draw(self, rows: Rows) -> Figure:
        """Draw it: the colour is the difference, the text ours above the published value.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        Figure
        """
        heads, lines = self._grid(self.cells(rows))
        differences = np.full((len(lines), len(heads)), np.nan)
        texts = [[""] * len(cells) for _, cells in lines]
        for row, (_, cells) in enumerate(lines):
            for column, cell in enumerate(cells):
                if cell is not None:
                    texts[row][column] = self._drawn(cell)
                    differences[row, column] = number(cell.difference)
        reach = max(float(np.abs(differences[np.isfinite(differences)]).max(initial=0.0)), 1e-9)
        width = max(4.6, 2.35 + 0.75 * len(heads))
        figure, (axes,) = figure_of(width=width, height=1.8 + 0.45 * len(lines))
        mesh = draw_fields(
            axes, differences, texts, ([name for name, _ in lines], heads),
            limits=(-reach, reach), colours="PuOr", size=8,
        )  # fmt: skip
        axes.set(xlabel=label(self.columns), ylabel=label(self.rows))
        axes.set_title(self.title, loc="left")
        draw_scale(figure, mesh, [axes], f"ours minus published: {self._measured}\n{LEGEND}")
        return figure
