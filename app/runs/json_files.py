"""JSON that strict parsers read, in files that are never half-written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from signfed.app.errors import ConfigError


def as_json(value: Any) -> Any:
    """Return a value in which null stands for every number that is not finite, as strict JSON asks.

    >>> as_json({"loss": float("nan"), "seconds": [1.5, float("inf")]})
    {'loss': None, 'seconds': [1.5, None]}

    Parameters
    ----------
    value : object
        A mapping, a list or tuple, or one of their items.
    """
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(file: Path) -> dict[str, Any]:
    """Return what a .json file holds.

    Parameters
    ----------
    file : Path

    Raises
    ------
    ConfigError
        When it cannot be read, or holds no object.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: expected JSON; {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: expected a JSON object; found {str(found)[:60]}")
    return found


def json_line(record: Mapping[str, Any]) -> str:
    """Return one line of a .jsonl file."""
    return json.dumps(as_json(record), allow_nan=False) + "\n"


def json_text(content: Mapping[str, Any]) -> str:
    """Return a whole .json file."""
    return json.dumps(as_json(content), indent=2, allow_nan=False) + "\n"


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a .json file as a whole.

    Parameters
    ----------
    file : Path
        Which one.
    content : mapping
        What it will hold; numbers that are not finite become null.
    """
    replace_text(file, json_text(content))


def write_flushed(stream: TextIO, text: str) -> None:
    """Write a text and have it on the disk.

    Parameters
    ----------
    stream : file
        Open for writing.
    text : str
        What is written.
    """
    stream.write(text)
    stream.flush()
    os.fsync(stream.fileno())


def replace_text(file: Path, text: str) -> None:
    """Replace a file as a whole; other processes may do the same at the same time.

    The text is on the disk before the file is replaced: after a loss of power it is the old one or
    the new one.

    Parameters
    ----------
    file : Path
        Which one.
    text : str
        What it will hold.
    """
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            write_flushed(stream, text)
        os.replace(draft, file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
