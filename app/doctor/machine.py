"""The machine that is looked at. A test puts others in the place of what is looked up."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from signfed.app.doctor.room import free_disk, free_memory
from signfed.app.flower.environment import program

LOOPBACK = "127.0.0.1"
PYTHONS = ("3.11", "3.12", "3.13")  # that Flower and signfed run on


@dataclass(frozen=True)
class Card:
    """A GPU.

    Attributes
    ----------
    name : str
    free, total : int
        Bytes of its memory.
    """

    name: str
    free: int
    total: int


@dataclass(frozen=True)
class Cards:
    """What PyTorch sees of GPUs.

    Attributes
    ----------
    seen : tuple of Card
    problem : str
        Why none is seen, though the machine has a driver for some; "" where nothing is wrong.
    """

    seen: tuple[Card, ...] = ()
    problem: str = ""


def installed(package: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def needed() -> list[str]:
    """Return what signfed says that it needs, extras included; empty where it is not installed."""
    try:
        return requires("signfed") or []
    except PackageNotFoundError:  # the app travels without being installed
        return []


def cores() -> int:
    """Return the cores that this process may use, asked without PyTorch, which may not be there."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float:
    """Return the processes that waited for a core in the last minute, on average."""
    return os.getloadavg()[0]


def cards() -> Cards:
    """Return the GPUs that PyTorch sees."""
    import warnings

    import torch

    with warnings.catch_warnings():  # an old driver is told as a warning
        warnings.simplefilter("ignore")
        if torch.cuda.is_available():
            numbers = range(torch.cuda.device_count())
            memory = [torch.cuda.mem_get_info(i) for i in numbers]
            names = [torch.cuda.get_device_name(i) for i in numbers]
            return Cards(tuple(Card(n, *m) for n, m in zip(names, memory, strict=True)))
    if not Path("/proc/driver/nvidia").exists():
        return Cards()
    built = torch.version.cuda
    return Cards(problem=f"for CUDA {built}" if built else "without CUDA")


def talks_to_itself() -> None:
    """Take a free port of the loopback address and connect to it. Raises OSError."""
    with socket.create_server((LOOPBACK, 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


@dataclass(frozen=True)
class Machine:
    """The machine that is looked at, from one folder.

    Attributes
    ----------
    folder : Path
        Where commands are started, and runs are written to.
    installed, needed, cores, load, cards, talks_to_itself, program, free_disk, free_memory
        Callables; see the functions of this file, `room` and `flower.environment`.
    """

    folder: Path = field(default_factory=Path.cwd)
    installed: Callable[[str], str | None] = installed
    needed: Callable[[], list[str]] = needed
    cores: Callable[[], int] = cores
    load: Callable[[], float] = load
    cards: Callable[[], Cards] = cards
    talks_to_itself: Callable[[], None] = talks_to_itself
    program: Callable[[str], str] = program
    free_disk: Callable[[Path], int] = free_disk
    free_memory: Callable[[], int] = free_memory
