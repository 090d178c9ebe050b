"""What a reproduction found, as parts of a report: claims, published tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.report.document import Image, Part, Table, Text
from signfed.app.report.published import FAILS, HOLDS, MARKS
from signfed.app.report.sources import claims_of

KINDS = {
    "failed": "bad", "diverged": "bad", FAILS: "bad", HOLDS: "good", "finished": "good",
}  # fmt: skip


def claims_parts(place: Path) -> list[Part]:
    """Return what stands in the section of a reproduction, setting by setting.

    Parameters
    ----------
    place : Path
        Its folder, which holds verdicts.json.

    Returns
    -------
    list of Part
        Pictures are those that lie there.

    Raises
    ------
    ConfigError
        When verdicts.json cannot be read.
    """
    parts: list[Part] = []
    for setting, record in claims_of(place).items():
        lines = [
            [claim["text"], claim["verdict"], claim["published"], claim["ours"],
             claim["tolerance"], claim["source"]]
            for claim in record.get("claims", ())
        ]  # fmt: skip
        says = ". ".join(filter(None, (record.get("title", ""), f"setting: {setting}")))
        heads = ["claim", "verdict", "published", "ours", "tolerance", "source"]
        parts.append(Table(heads, lines, says, KINDS))
        for table in record.get("tables", ()):  # a caption would be as wide as the table
            parts += [Text(table["says"]), _published(table)]
        parts += [
            Image(place / name, f"{record.get('title', place.name)} ({setting})")
            for name in map(_own, record.get("pictures", ())) if (place / name).is_file()
        ]  # fmt: skip
    return parts


def _published(table: Mapping[str, Any]) -> Table:
    """A paper's table beside ours; the last mark of a field says what became of it."""
    lines: Sequence[Sequence[str]] = table["lines"]
    kinds = {MARKS[verdict]: KINDS[verdict] for verdict in (HOLDS, FAILS)}
    marked = {text: kinds[text[-1]] for line in lines for text in line if text[-1:] in kinds}
    return Table(table["heads"], lines, kinds=marked)


def _own(name: str) -> str:
    """The name of a file beside it: another's verdicts may name any file of this machine."""
    return Path(name).name
