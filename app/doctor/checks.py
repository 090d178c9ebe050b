"""Checks of a machine that is to run signfed, each with what mends what it finds."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from signfed.app.config.own_modules import check_names
from signfed.app.doctor import room
from signfed.app.doctor.finding import Finding, Level, error, examine, fine, warning
from signfed.app.doctor.machine import PYTHONS, Machine
from signfed.app.doctor.room import GB
from signfed.app.flower.environment import FlowerError, short_folder
from signfed.app.runs.claim import RUNS

MEMORY_OF_RAY = 2 * GB  # bytes: SuperLink, Ray and its workers, each with PyTorch
# Extra -> what there is without it.
WITHOUT = {
    "simulation": "no Flower simulation (`--engine local` runs all the same), no digits, no MNIST",
    "report": "no report, no pictures, no tables of sweeps",
    "images": "no images of a device's own",
    "tracking": "no `signfed report --tensorboard`, no `signfed export`",
    "course": "the lessons of the course cannot be executed",
}


def python(machine: Machine) -> Finding:
    """Say whether Flower and signfed run on this Python."""
    here, wanted = platform.python_version(), ", ".join(PYTHONS)
    if ".".join(here.split(".")[:2]) not in PYTHONS:
        return error("python", f"Python {here}; expected {wanted}", "python3.12 -m venv .venv")
    return fine("python", f"Python {here}")


def packages(machine: Machine) -> list[Finding]:
    """Say whether what signfed cannot do without is there, in versions that fit."""
    found = [
        error("packages", f"{each.name} {version or 'missing'}; expected {each.specifier}",
              f"pip install '{each.name}{each.specifier}'")
        for each, version in _misfits(machine, "")
    ]  # fmt: skip
    shown = [f"{name} {machine.installed(name) or '-'}" for name in ("signfed", "flwr", "torch")]
    return found or [fine("packages", ", ".join(shown))]


def extras(machine: Machine) -> list[Finding]:
    """Say what there is not for want of an extra."""
    found = []
    for extra, without in WITHOUT.items():
        if missing := [
            f"{each.name} {version or ''}" for each, version in _misfits(machine, extra)
        ]:
            text = f"{extra}: {without} (missing or of another version: {', '.join(missing)})"
            level = Level.warning if extra == "simulation" else Level.ok
            found.append(Finding("extras", level, text, f"pip install 'signfed[{extra}]'"))
    return found


def _misfits(machine: Machine, extra: str) -> list[tuple[Requirement, str | None]]:
    """What an extra asks for, or the bare package, "", and is not here; with what is here."""
    found = []
    for asked in map(Requirement, machine.needed()):
        if asked.extras == {"simulation"} and asked.name == "flwr":
            marker, asked = asked.marker, Requirement("ray")  # what that extra of Flower's brings
            asked.marker = marker
        of_this = asked.marker is None or asked.marker.evaluate({"extra": extra})
        here = machine.installed(asked.name)
        fits = here is not None and asked.specifier.contains(here, prereleases=True)
        if of_this and bool(extra) == ("extra" in str(asked.marker)) and not fits:
            found.append((asked, here))
    return found


def cores(machine: Machine) -> Finding:
    """Say how many cores there are, and whether others use them."""
    number, load = machine.cores(), machine.load()
    text = f"{number} of {os.cpu_count()} cores, load {load:.1f}"
    if load > 2 * number:
        return warning("cores", f"{text}: runs will take long", "wait, or end what runs: top")
    return fine("cores", text)


def memory(machine: Machine) -> Finding:
    """Say whether the memory will do for a simulation."""
    free = machine.free_memory()
    found = room.memory(free)
    if found.level is Level.error or free >= MEMORY_OF_RAY:
        return found
    text = f"{found.found}; Flower's simulation takes about 2"
    return warning("memory", text, "end other programs: free -h; or: signfed run --engine local")


def gpu(machine: Machine) -> Finding | None:
    """Say which GPUs PyTorch sees."""
    if machine.installed("torch") is None:
        return None  # `packages` says so
    try:
        found = machine.cards()
    except (ImportError, OSError) as problem:
        return error("gpu", f"PyTorch cannot be loaded: {problem}",
                     "pip install --force-reinstall torch")  # fmt: skip
    if found.problem:
        return warning(
            "gpu", f"there is a driver, but this PyTorch, built {found.problem}, sees no GPU",
            "nvidia-smi shows the driver; install the PyTorch for it: https://pytorch.org",
        )  # fmt: skip
    if not found.seen:
        return fine("gpu", "none; everything runs on the CPU")
    return fine("gpu", ", ".join(f"{card.name}, {card.free / GB:.0f} of {card.total / GB:.0f} GB "
                                 "free" for card in found.seen))  # fmt: skip


def flower(machine: Machine) -> Finding | None:
    """Say whether a simulation can start: its programs, and a folder for Ray's sockets."""
    if machine.installed("ray") is None:
        return None  # `extras` says so
    try:
        for name in ("flwr", "flower-superlink"):
            machine.program(name)
        short_folder().rmdir()
    except FlowerError as problem:
        return error("flower", str(problem), "put right what it names")
    ray = machine.installed("ray")
    return fine("flower", f"its programs, Ray {ray}, a folder for Ray's sockets")


def ports(machine: Machine) -> Finding:
    """Say whether this machine can talk to itself, as Flower's processes do."""
    try:
        machine.talks_to_itself()
    except OSError as problem:
        return error(
            "ports", f"no free port of 127.0.0.1 that answers: {problem.strerror or problem}",
            "let a firewall or sandbox allow loopback; without it: signfed run --engine local",
        )  # fmt: skip
    return fine("ports", "free ports of 127.0.0.1 answer")


def folder(machine: Machine) -> Finding:
    """Say whether runs can be written here, and whether a file here hides a module."""
    check_names(machine.folder)
    runs = machine.folder / RUNS
    place = runs if runs.exists() else machine.folder
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as problem:
        return error(
            "folder", f"{place}: nothing can be written: {problem.strerror}",
            f"start elsewhere, or --out DIR, or: chmod u+w {place}",
        )  # fmt: skip
    return fine("folder", f"runs can be written to {place}")


def disk(machine: Machine) -> Finding:
    """Say whether there is room for runs and for Flower's files."""
    places = (machine.folder, Path(tempfile.gettempdir()))
    return room.disk(*min((machine.free_disk(at), at) for at in places))


CHECKS = (python, packages, extras, cores, memory, gpu, flower, ports, folder, disk)


def examine_machine(machine: Machine) -> list[Finding]:
    """Return what all checks find.

    Parameters
    ----------
    machine : Machine
    """
    return examine(machine, CHECKS)
