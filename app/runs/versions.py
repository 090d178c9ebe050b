"""What ran: versions of Python and of the packages that decide about a run's numbers."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """Return Python's version and those of signfed, flwr, torch and numpy, by name."""
    packages = ("signfed", "flwr", "torch", "numpy")
    return {"python": platform.python_version()} | {p: _version(p) for p in packages}


@cache  # each one parses a file
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the app travels without being installed
        return "unknown"
