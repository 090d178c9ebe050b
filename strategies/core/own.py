"""What a user wrote, named `module:Name`."""

from __future__ import annotations

import importlib
import traceback
from typing import Any


def load(path: str, form: str) -> Any:
    """Import the module and return what has that name in it.

    Parameters
    ----------
    path : str
        `module:Name`.
    form : str
        What is expected, for the error: "function" or "Class".

    Raises
    ------
    ValueError
        With the file and the line where the module itself fails.

    Examples
    --------
    >>> load("math:sqrt", "function")(9.0)
    3.0
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # whatever a user's module does when it is imported
        raise ValueError(
            f"{_place(error)}{error}; expected module:{form}, the module's file in the folder "
            "of pyproject.toml or in the one where you start"
        ) from error


def _place(error: BaseException) -> str:
    """File, line and kind of an error in the user's module; empty where the module is not found."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: "
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
