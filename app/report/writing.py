"""A report as files: one HTML page, and beside it Markdown, PNG and CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from signfed.app.errors import ConfigError, installed
from signfed.app.report.document import Image, Picture, Report, Section, Table, Text
from signfed.app.report.style import save_png, svg_of
from signfed.app.report.tables import csv_text, markdown_table
from signfed.app.runs.json_files import replace_text
from signfed.app.runs.versions import versions

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE, BESIDE = "report.html", "report"  # in a run folder
MARKS = re.compile(r"[\\`*\[\]<>]")  # of Markdown; a node, or a rule's findings, may have named it


def html_of(report: Report) -> str:
    """Return the page: complete in itself, without a network and without JavaScript.

    Parameters
    ----------
    report : Report
        What it shows; all its texts are escaped.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        When Jinja2 is not installed.
    """
    with installed("the report"):
        import jinja2
        from markupsafe import Markup

    def svg(picture: Picture) -> Markup:
        return Markup(svg_of(picture.figure, picture.name, picture.says))

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True).get_template("page.html")
    return page.render(report=report, svg=svg, version=versions()["signfed"])


def markdown_of(report: Report) -> str:
    """Return the report in Markdown; pictures are the PNG files beside it.

    Parameters
    ----------
    report : Report
        What it shows; all its texts are escaped.

    Returns
    -------
    str
    """
    body = [f"# {_plain(report.title)}", _plain(report.says)]
    body.append(_table(("", "value"), report.headline))
    for section in report.sections:
        body.append(f"## {_plain(section.title)}")
        body += [_in_markdown(section, i) for i in range(len(section.parts))]
    return "\n\n".join(text.rstrip() for text in body) + "\n"


def _in_markdown(section: Section, i: int) -> str:
    match section.parts[i]:
        case Picture(name, _, says):
            return f"![{_plain(says)}]({name}.png)"
        case Table(heads, lines, says):
            return "\n\n".join(filter(None, (_plain(says), _table(heads, lines))))
        case Image(file, says):
            return _plain(f"{says}: {file.name}")
        case Text(says):
            return _plain(says)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return markdown_table([*map(_plain, heads)], [[*map(_plain, line)] for line in lines])


def _plain(text: str) -> str:
    """Escape what Markdown would take for its own."""
    return MARKS.sub(r"\\\g<0>", text.replace("\n", " "))


def place_of(out: Path | None, home: Path) -> Path:
    """Return the page's file.

    Parameters
    ----------
    out : Path, optional
        A file, whose name ends in .html or .htm, or a folder; without it `home`.
    home : Path
        Folder where the page lies unless the user says something else.

    Returns
    -------
    Path
    """
    if out is None:
        return home / PAGE
    return out if out.suffix.lower() in (".html", ".htm") else out / PAGE


def write(report: Report, page: Path) -> None:
    """Write the page, and what lies beside it in a folder that is called as the page is.

    Parameters
    ----------
    report : Report
        What is written.
    page : Path
        The HTML file; "report.html" has the folder "report" beside it.

    Raises
    ------
    ConfigError
        When nothing can be written there.
    """
    beside = page.with_suffix("")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for picture in report.pictures:
            save_png(picture.figure, beside / f"{picture.name}.png")
        for name, rows in report.data.items():
            replace_text(beside / f"{name}.csv", csv_text(rows))
        replace_text(beside / "report.md", markdown_of(report))
        replace_text(page, html_of(report))
    except OSError as error:
        raise ConfigError(f"cannot write the report {page}: {error.strerror}") from error
