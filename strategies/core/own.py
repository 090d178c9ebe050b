"""What a user wrote, named `module:Name`: loaded, and where it fails."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

OURS = {"signfed", "torch", "numpy", *sys.stdlib_module_names}  # none is of a user's mistake


def load(path: str, form: str) -> Any:
    """Import a module, and return what has that name in it.

    Parameters
    ----------
    path : str
        `module:Name`.
    form : str
        What is expected, for the error: "function" or "Class".

    Returns
    -------
    object
        Whatever it is.

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
        why = reason(error) if place(error) else str(error)
        raise ValueError(
            f"{why}; expected module:{form}, the module's file in the folder of pyproject.toml or "
            "in the one where you start"
        ) from error


def reason(error: BaseException) -> str:
    """Say what an exception is, and where in the user's code it comes from.

    >>> reason(EOFError())
    'EOFError'

    Parameters
    ----------
    error : BaseException
        Any exception.
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return said + (f" ({where})" if (where := place(error)) else "")


def place(error: BaseException) -> str:
    """Return file and line in the user's code; empty where the error is not from there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        library = "site-packages" in file or file.startswith("<")
        if not library and module.partition(".")[0] not in OURS:
            return f"{file}, line {line}"
    return ""
