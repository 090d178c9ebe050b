"""JSON that strict parsers read, in files that are never half-written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def as_json(value: Any) -> Any:
    """Put null in place of every number that is not finite: strict JSON has no word for them.

    >>> as_json({"loss": float("nan"), "seconds": [1.5, float("inf")]})
    {'loss': None, 'seconds': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_line(record: Mapping[str, Any]) -> str:
    """One line of a .jsonl file."""
    return json.dumps(as_json(record), allow_nan=False) + "\n"


def json_text(content: Mapping[str, Any]) -> str:
    """A whole .json file."""
    return json.dumps(as_json(content), indent=2, allow_nan=False) + "\n"


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a .json file as a whole."""
    replace_text(file, json_text(content))


def replace_text(file: Path, text: str) -> None:
    """Replace a file as a whole; other processes may do the same at the same time."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
