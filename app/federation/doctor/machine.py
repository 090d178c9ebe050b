"""Checks of the machine: permissions, versions, speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from signfed.app.doctor.finding import Finding, error, fine, warning
from signfed.app.doctor.machine import PYTHONS
from signfed.app.federation.doctor.world import World, mode_of

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
