"""A paper's table with ours beside it: published value, ours, difference, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from signfed.app.report.fields import draw_fields, draw_scale
from signfed.app.report.published import FAILS, HOLDS, MARKS, NOT_TRIED, Judge, Published, within
from signfed.app.report.rows import Rows, chosen, grouped, label, number, shown
from signfed.app.report.style import figure_of
from signfed.app.report.tables import aligned, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from signfed.app.runs.sweeps import Row

HALF_A_POINT = within(0.5)


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
        Published -> whether it holds; see `within`. By default within half a point.
    names : mapping
        What the paper calls a row or a column -> for the heads of the table, by our value.
    where : mapping
        As in `Lines`.
    source : str
        Where the values stand: "Xu et al. 2022, Table I".
    digits : int
        After the point.
    """

    rows: str
    columns: str
    value: str
    published: Mapping[tuple[Any, Any], float]
    title: str = ""
    scale: float = 100.0
    judge: Judge = HALF_A_POINT
    names: Mapping[Any, str] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
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
            Of cells. A value that is null (not finite) is ours, and holds nowhere.

        Returns
        -------
        list of Published
        """
        rows = [row for row in chosen(rows, self.where) if self.value in row]
        found = grouped(rows, (self.rows, self.columns))
        return [self._cell(at, value, found.get(at, [])) for at, value in self.published.items()]

    def _cell(self, at: tuple[Any, Any], value: float, group: Sequence[Any]) -> Published:
        if not group:
            return Published(*at, value)
        ours = self.scale * np.array([number(row[self.value]) for row in group])
        cell = Published(*at, value, float(ours.mean()), float(ours.max() - ours.min()), len(group))
        holds = bool(np.isfinite(ours).all()) and self.judge(cell)
        return replace(cell, verdict=HOLDS if holds else FAILS)

    def records(self, rows: Rows) -> list[Row]:
        """Return the fields as rows: for CSV, or for a table of differences.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        list of dict
        """
        return [
            {self.rows: cell.row, self.columns: cell.column, "published": cell.published,
             "ours": cell.ours, "difference": cell.difference, "spread": cell.spread,
             "seeds": cell.seeds, "verdict": cell.verdict}
            for cell in self.cells(rows)
        ]  # fmt: skip

    def counted(self, rows: Rows) -> str:
        """Return the verdicts in a line: "31 of 40 hold, 4 do not, 5 were not tried"."""
        verdicts = [cell.verdict for cell in self.cells(rows)]
        held, failed = verdicts.count(HOLDS), verdicts.count(FAILS)
        return (
            f"{held} of {len(verdicts)} hold, {failed} do not, "
            f"{verdicts.count(NOT_TRIED)} were not tried"
        )

    def _grid(self, rows: Rows) -> tuple[list[str], list[tuple[str, list[Published | None]]]]:
        cells = {(cell.row, cell.column): cell for cell in self.cells(rows)}
        columns = list(dict.fromkeys(column for _, column in cells))
        lines = list(dict.fromkeys(row for row, _ in cells))
        heads = [label(self.rows), *map(self._name, columns)]
        return heads, [(self._name(r), [cells.get((r, c)) for c in columns]) for r in lines]

    def _name(self, value: Any) -> str:
        return self.names.get(value, shown(value))

    def _texts(self, cell: Published | None) -> tuple[str, str, str, str]:
        """Ours, the published value, the difference and the mark."""
        if cell is None:
            return "", "", "", ""
        published = f"{cell.published:.{self.digits}f}"
        if cell.ours is None or cell.difference is None:
            return "", published, "", MARKS[cell.verdict]
        if not np.isfinite(cell.ours):
            return "not finite", published, "", MARKS[cell.verdict]
        ours = f"{cell.ours:.{self.digits}f}"
        difference = f"{cell.difference:+.{self.digits}f}"
        return ours, published, difference, MARKS[cell.verdict]

    def _caption(self, rows: Rows) -> str:
        source = f" ({self.source})" if self.source else ""
        return (
            f"{self.title or label(self.value)}{source}: ours, the published value, "
            f"the difference; ✓ holds, ✗ does not, ? not tried. {self.counted(rows)}."
        )

    def markdown(self, rows: Rows) -> str:
        """Return it as a table in Markdown, with its caption.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        str
        """
        heads, lines = self._grid(rows)
        body = [[name, *map(self._in_line, cells)] for name, cells in lines]
        return f"{self._caption(rows)}\n\n{markdown_table(heads, body)}"

    def _in_line(self, cell: Published | None) -> str:
        ours, published, difference, mark = self._texts(cell)
        if not ours:
            return " ".join(filter(None, (published and f"({published})", mark)))
        return f"**{ours}** ({', '.join(filter(None, (published, difference)))}) {mark}"

    def text(self, rows: Rows) -> str:
        """Return it for a terminal, in columns of equal width.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        str
        """
        heads, lines = self._grid(rows)
        body = [[name, *map(self._in_line, cells)] for name, cells in lines]
        return f"{self._caption(rows)}\n\n{aligned(heads, body).replace('*', '')}"

    def html(self, rows: Rows) -> str:
        """Return it as an HTML table, whose fields have the verdict as their class.

        Parameters
        ----------
        rows : sequence of mapping
            Of cells.

        Returns
        -------
        str
        """
        heads, lines = self._grid(rows)
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
        body = []
        for name, cells in lines:
            fields = "".join(map(self._field, cells))
            body.append(f'<tr><th scope="row">{escape(name)}</th>{fields}</tr>')
        return (
            f"<table><caption>{escape(self._caption(rows))}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )

    def _field(self, cell: Published | None) -> str:
        if cell is None:
            return "<td></td>"
        ours, published, difference, mark = map(escape, self._texts(cell))
        below = f"<small>{published}{f', {difference}' if difference else ''}</small>"
        kind = cell.verdict.replace(" ", "-")
        return f'<td class="{kind}"><b>{ours}</b> {mark}<br>{below}</td>'

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
        heads, lines = self._grid(rows)
        differences = np.full((len(lines), len(heads) - 1), np.nan)
        texts = [[""] * len(cells) for _, cells in lines]
        for row, (_, cells) in enumerate(lines):
            for column, cell in enumerate(cells):
                if cell is not None:
                    ours, published, _, mark = self._texts(cell)
                    texts[row][column] = f"{ours} {mark}\n({published})"
                    differences[row, column] = number(cell.difference)
        reach = max(float(np.abs(differences[np.isfinite(differences)]).max(initial=0.0)), 1e-9)
        width = max(4.6, 1.6 + 0.75 * len(heads))
        figure, (axes,) = figure_of(width=width, height=1.8 + 0.45 * len(lines))
        mesh = draw_fields(
            axes, differences, texts, ([name for name, _ in lines], heads[1:]),
            limits=(-reach, reach), colours="PuOr", size=8,
        )  # fmt: skip
        axes.set(xlabel=label(self.columns), ylabel=label(self.rows))
        axes.set_title(self.title, loc="left")
        draw_scale(figure, mesh, [axes], f"ours minus published: {label(self.value)}")
        return figure
