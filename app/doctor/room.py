"""Room on a machine: what is free, and whether it will do."""

from __future__ import annotations

import shutil
from pathlib import Path

from signfed.app.doctor.finding import Finding, error, fine, warning

MB, GB = 1_000_000, 1_000_000_000
DISK_NEEDED, DISK_WANTED = 100 * MB, 1000 * MB
MEMORY_NEEDED, MEMORY_WANTED = 300 * MB, 700 * MB


def free_disk(path: Path) -> int:
    """Return the bytes that are free where a folder lies."""
    return shutil.disk_usage(path).free


def free_memory() -> int:
    """Return the bytes of memory that programs can have."""
    import psutil

    return int(psutil.virtual_memory().available)


def disk(free: int, folder: Path) -> Finding:
    """Say whether there is room where a folder lies.

    Parameters
    ----------
    free : int
        Bytes.
    folder : Path
    """
    remedy = f"du -xh {folder} | sort -h | tail"
    return _judged("disk", free, f"free at {folder}", DISK_NEEDED, DISK_WANTED, remedy)


def memory(free: int) -> Finding:
    """Say whether there is memory enough for programs.

    Parameters
    ----------
    free : int
        Bytes.
    """
    remedy = "end other programs, or add swap: free -h"
    return _judged("memory", free, "of memory free", MEMORY_NEEDED, MEMORY_WANTED, remedy)


def _judged(check: str, free: int, what: str, needed: int, wanted: int, remedy: str) -> Finding:
    text = f"{free / GB:.1f} GB {what}" if free >= GB else f"{free // MB} MB {what}"
    if free < needed:
        return error(check, f"{text}; expected {needed // MB} MB", remedy)
    return warning(check, text, remedy) if free < wanted else fine(check, text)
