"""The Markdown tables of docs/, read so that a page can show the rows that name its rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown.extensions.toc import slugify

NAMED = ("rule", "strategy", "attack")  # heads of the column that says what a row is about
TITLE = re.compile(r"^#{1,4} (.*)")


@dataclass(frozen=True)
class Table:
    """One table and where it stands.

    Attributes
    ----------
    page : str
        File name below docs/.
    heading : str
        The heading above it.
    head : list of str
    rows : list of list of str
    """

    page: str
    heading: str
    head: list[str]
    rows: list[list[str]]

    @property
    def link(self) -> str:
        """Markdown link to the section, from a page one folder below docs/."""
        anchor = slugify(re.sub(r"[`*\[\]]", "", self.heading), "-")
        return f"[{self.heading}](../{self.page}#{anchor})"

    def about(self, name: str) -> str:
        """The part of the table that is about this rule or attack, as Markdown; else ""."""
        code = f"`{name}`"
        first = next((i for i, head in enumerate(self.head) if head in NAMED), 0)
        rows, last, above = [], "", [""] * first
        for row in self.rows:
            last = row[first] or last
            # A blank left of the name repeats what is above it, in a row that may be left out.
            above = [cell or before for cell, before in zip(row, above, strict=False)]
            if code in last.split(", ") or last == code:
                rows.append(above + row[first:])
        if rows:
            return written(carried(self.head), rows)
        heads = carried(self.head)
        columns = [i for i, head in enumerate(heads) if code in head.split(", ")[0].split(": ")]
        if not columns:
            return ""
        keep = [i for i, head in enumerate(heads) if i <= first or head == "with"] + columns
        return written([heads[i] for i in keep], [[row[i] for i in keep] for row in self.rows])


def carried(head: list[str]) -> list[str]:
    """Give a head without "X: " that of the column to its left: "3 of 15: `a` | `b`"."""
    found, prefix = [], ""
    for cell in head:
        before, colon, _ = cell.partition(": `")
        prefix = f"{before}: " if colon else prefix
        found.append(prefix + cell if cell.startswith("`") and not colon else cell)
    return found


def written(head: list[str], rows: list[list[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def tables(page: Path) -> Iterator[Table]:
    """Yield the tables of a file in their order."""
    heading, block = "", []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            block.append([cell.strip() for cell in line.strip().strip("|").split("|")])
            continue
        if len(block) > 2 and len({len(row) for row in block}) == 1:
            yield Table(page.name, heading, block[0], block[2:])
        block = []
        if title := TITLE.match(line):
            heading = title[1]
