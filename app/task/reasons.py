"""What went wrong in a user's code, and where."""

from __future__ import annotations

import traceback

OURS = ("signfed", "torch", "numpy", "importlib")  # not where to look for a user's mistake


def reason(error: BaseException) -> str:
    """Say what an exception is, and where in the user's code it comes from.

    >>> reason(EOFError())
    'EOFError'
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return said + (f" ({where})" if (where := place(error)) else "")


def place(error: BaseException) -> str:
    """File and line in the user's code; empty where the error is not from there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        library = "site-packages" in file or file.startswith("<")
        if not library and module.partition(".")[0] not in OURS:
            return f"{file}, line {line}"
    return ""
