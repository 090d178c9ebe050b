"""Checks of the machine: permissions, versions, disk, memory, speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from signfed.app.federation.doctor.finding import Finding, error, fine, warning
from signfed.app.federation.doctor.world import World, mode_of

MB = 1_000_000
DISK_NEEDED, DISK_WANTED = 100 * MB, 1000 * MB
MEMORY_NEEDED, MEMORY_WANTED = 300 * MB, 700 * MB
PYTHONS = ("3.11", "3.12", "3.13")  # that Flower and signfed run on
SLOW = 10.0  # seconds of one gradient


def private(check: str, path: Path) -> Finding | None:
    """Return a finding where others may read a file or enter a folder; None where not.

    Parameters
    ----------
    check : str
    path : Path
    """
    if (mode := mode_of(path)) & 0o077:
        wanted = 700 if path.is_dir() else 600
        return error(
            check, f"others may read {path}: its mode is {mode:04o}", f"chmod {wanted} {path}"
        )
    return None


def versions(world: World, theirs: Mapping[str, str]) -> list[Finding]:
    """Say whether Python, Flower and signfed here fit the other side's.

    Parameters
    ----------
    world : World
    theirs : mapping
        "flwr" and "signfed" of the other side; empty where there is none to compare with.
    """
    here = world.versions()
    found = []
    if ".".join(here["python"].split(".")[:2]) not in PYTHONS:
        found.append(
            error(
                "versions",
                f"Python {here['python']}; expected one of {', '.join(PYTHONS)}",
                "python3.11 -m venv ENV; install signfed there",
            )
        )
    if "flwr" in theirs and here["flwr"] != theirs["flwr"]:
        found.append(
            error(
                "versions",
                f"flwr {here['flwr']} here, {theirs['flwr']} on the server",
                f"pip install flwr=={theirs['flwr']}",
            )
        )
    if "signfed" in theirs and here["signfed"] != theirs["signfed"]:
        found.append(
            warning(
                "versions",
                f"signfed {here['signfed']} here, {theirs['signfed']} on the server",
                f"pip install signfed=={theirs['signfed']}",
            )
        )
    text = ", ".join(f"{name} {here[name]}" for name in ("python", "flwr", "signfed"))
    return found or [fine("versions", text)]


def disk(world: World, folder: Path) -> Finding:
    """Say whether there is room where a folder lies.

    Parameters
    ----------
    world : World
    folder : Path
    """
    free = world.free_disk(folder)
    text, remedy = f"{free // MB} MB free at {folder}", f"du -xh {folder} | sort -h | tail"
    if free < DISK_NEEDED:
        return error("disk", f"{text}; expected {DISK_NEEDED // MB}", remedy)
    if free < DISK_WANTED:
        return warning("disk", text, remedy)
    return fine("disk", text)


def memory(world: World) -> Finding:
    """Say whether there is memory enough for programs."""
    free = world.free_memory()
    text, remedy = f"{free // MB} MB of memory free", "end other programs, or add swap: free -h"
    if free < MEMORY_NEEDED:
        return error("memory", f"{text}; expected {MEMORY_NEEDED // MB}", remedy)
    if free < MEMORY_WANTED:
        return warning("memory", text, remedy)
    return fine("memory", text)


def gradient(world: World) -> Finding:
    """Say what time one gradient takes, of the network `fd-cnn` (582,026 parameters, 64 images)."""
    try:
        seconds = world.gradient_seconds()
    except (ImportError, RuntimeError, MemoryError) as problem:
        return error(
            "gradient", f"no gradient: {type(problem).__name__}: {problem}", "pip install torch"
        )
    text = f"{seconds:.2f} s for a gradient of fd-cnn on 64 images"
    if seconds > SLOW:
        return warning("gradient", text, "a larger round-timeout, or a smaller batch-size")
    return fine("gradient", text)
