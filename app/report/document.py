"""What a report consists of, before it becomes HTML, Markdown and files."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from signfed.app.report.rows import Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNUSUAL = re.compile(r"[^A-Za-z0-9-]+")  # in the name of a picture


@dataclass(frozen=True)
class Picture:
    """A figure with its name, which is that of its file, too, and what it shows.

    Attributes
    ----------
    name : str
        No two pictures of a report share one. All but letters, digits and hyphens of it become
        hyphens: names of a rule's findings are in it, and it goes into HTML and files' names.
    figure : Figure
    says : str
        A sentence for whoever cannot see it, and its caption.
    """

    name: str
    figure: Figure
    says: str
    kind: ClassVar[str] = "picture"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", UNUSUAL.sub("-", self.name))


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    heads : sequence of str
    lines : sequence of sequence of str
        The first of a line is its name.
    says : str
        Its caption.
    kinds : mapping
        Text of a field -> class of that field on the page: "good", "bad" or "plain".
    """

    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    says: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes
    ----------
    says : str
    """

    says: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Image:
    """A picture that is a file already.

    Attributes
    ----------
    file : Path
        A PNG.
    says : str
        What it shows.
    """

    file: Path
    says: str
    kind: ClassVar[str] = "image"

    @property
    def data(self) -> str:
        """Return it as a URL that needs no file."""
        return f"data:image/png;base64,{b64encode(self.file.read_bytes()).decode()}"


Part = Picture | Table | Text | Image


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes
    ----------
    title : str
    parts : sequence of Picture, Table, Text or Image
    folded : bool
        Whether a reader has to open it.
    """

    title: str
    parts: Sequence[Part]
    folded: bool = False


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes
    ----------
    title : str
    says : str
        A sentence below it.
    headline : sequence of (str, str)
        The few numbers that matter, each with its name.
    sections : sequence of Section
    data : mapping
        Name of a CSV file -> its rows.
    """

    title: str
    says: str
    headline: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    data: Mapping[str, Rows] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """Return all pictures in their order."""
        parts = (part for section in self.sections for part in section.parts)
        return [part for part in parts if isinstance(part, Picture)]
