"""Who takes part: a file is a submission, and a few rules and attacks of the package play too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from signfed.app.errors import ConfigError

Kind = Literal["rule", "attack"]
BASELINES: dict[Kind, tuple[str, ...]] = {
    "rule": ("sign-mv", "sign-fd", "median"),
    "attack": ("none", "sign-inversion", "trusted-bloc", "lie"),
}
FOLDERS: dict[Kind, str] = {"rule": "rules", "attack": "attacks"}
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,39}")
LONGEST = 1 << 20  # characters of a file


@dataclass(frozen=True)
class Entry:
    """A rule or an attack that takes part.

    Attributes
    ----------
    kind : {"rule", "attack"}
    name : str
        The file's, without .py, or one of the package's.
    source : str
        The file's text; empty for one of the package's.
    """

    kind: Kind
    name: str
    source: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.source.encode()).hexdigest()


def entries_of(folder: Path) -> dict[Kind, list[Entry]]:
    """Return what takes part: FOLDER/rules/*.py, FOLDER/attacks/*.py, and the baselines.

    Nothing is imported.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ConfigError
        When there is no such folder or no submission in it, or a file cannot take part.
    """
    found = {
        kind: [_entry(kind, file) for file in sorted((folder / below).glob("*.py"))]
        for kind, below in FOLDERS.items()
    }
    if not any(found.values()):
        raise ConfigError(
            f"{folder}: expected submissions as rules/NAME.py, with one class that extends "
            "RobustStrategy each, and attacks/NAME.py, with one function under @signfed.attack; "
            "found none"
        )
    return {
        kind: [Entry(kind, name) for name in BASELINES[kind]] + entries
        for kind, entries in found.items()
    }


def _entry(kind: Kind, file: Path) -> Entry:
    if not NAME.fullmatch(file.stem):
        raise ConfigError(
            f"{file}: expected a name of at most 40 letters, digits and _, such as clipped.py"
        )
    if file.stem in BASELINES[kind]:
        raise ConfigError(f"{file}: signfed's own {file.stem} takes part, too; rename the file")
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read ({error})") from error
    if len(source) > LONGEST:
        raise ConfigError(f"{file}: expected at most {LONGEST} characters; got {len(source)}")
    return Entry(kind, file.stem, source)
