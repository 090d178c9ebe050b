"""Checkpoints of the server: tensors as safetensors, the rest as JSON, whole or not there at all.

`checkpoints/round-000150/` holds `state.safetensors` and `checkpoint.json`: format version, round,
run config, seconds so far, and the SHA-256 of the other file. It is written beside its place,
flushed to the disk and renamed, so a process that is killed leaves no half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from signfed.strategies.core.rule import State

FORMAT = 1
KEPT = 2  # the last one, and one to go back to
STATE, FACTS = "state.safetensors", "checkpoint.json"


class CheckpointError(ValueError):
    """A checkpoint cannot be read; the text names the file, what is wrong, and what would do.

    Attributes
    ----------
    what : str
        The text without what would do; "" where that is all one.
    """

    what = ""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The server's state after a round. config: every run-config key; seconds: the run so far."""

    server_round: int
    state: State
    config: Mapping[str, Any]
    seconds: float = 0.0


def write(run: Path, checkpoint: Checkpoint) -> Path:
    """Write it below the run folder and forget all but the last two.

    Parameters
    ----------
    run : Path
        The run folder.
    checkpoint : Checkpoint
        The server's state after a round.

    Returns
    -------
    Path
        The checkpoint's folder.

    Raises
    ------
    OSError
        When the disk takes no more; the earlier ones are as they were.
    """
    parent = run / "checkpoints"
    place = parent / f"round-{checkpoint.server_round:06d}"
    draft = parent / f".{place.name}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        payload = save({name: t.contiguous() for name, t in checkpoint.state.items()})
        facts = {
            "format": FORMAT,
            "round": checkpoint.server_round,
            "seconds": checkpoint.seconds,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "config": dict(checkpoint.config),
        }
        _flushed(draft / STATE, payload)
        _flushed(draft / FACTS, (json.dumps(facts) + "\n").encode())
        shutil.rmtree(place, ignore_errors=True)
        os.replace(draft, place)
        _flush_folder(parent)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    for old in list_checkpoints(run)[:-KEPT]:
        remove(old)
    return place


def remove(place: Path) -> None:
    """Forget a checkpoint."""
    shutil.rmtree(place, ignore_errors=True)


def forget_later(run: Path, done: int) -> None:
    """Remove checkpoints after the one that the run goes on from: they would pass for its own.

    Parameters
    ----------
    run : Path
        The run folder.
    done : int
        Number of the last round that stays.
    """
    for place in list_checkpoints(run):
        if int(place.name.removeprefix("round-")) > done:
            remove(place)


def list_checkpoints(run: Path) -> list[Path]:
    """Return the run's checkpoints, oldest first."""
    return sorted((run / "checkpoints").glob("round-*"), key=_age)


def _age(place: Path) -> tuple[int, str]:
    """For the order: from round 1,000,000 on a name has more than six digits."""
    return len(place.name), place.name


def read(place: Path) -> Checkpoint:
    """Return the checkpoint in this folder.

    Parameters
    ----------
    place : Path
        The checkpoint's folder.

    Raises
    ------
    CheckpointError
        When it is damaged, cut off, or of another format; with the one before it.
    """
    try:
        facts = json.loads((place / FACTS).read_text(encoding="utf-8"))
        version, sha256 = facts["format"], facts["sha256"]
        server_round, seconds, config = (
            int(facts["round"]),
            float(facts["seconds"]),
            dict(facts["config"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(place, FACTS, f"cannot be read ({type(error).__name__}: {error})") from error
    if version != FORMAT:
        raise _refused(place, FACTS, f"is of format {version!r}, this signfed reads {FORMAT}")
    try:
        payload = (place / STATE).read_bytes()
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise _refused(place, STATE, f"is damaged or cut off: {FACTS} has another SHA-256")
        state = load(payload)
    except (OSError, SafetensorError) as error:
        raise _refused(place, STATE, f"cannot be read ({type(error).__name__}: {error})") from error
    return Checkpoint(server_round, state, config, seconds)


def find(path: Path) -> Path | None:
    """Return the checkpoint that `path` means; None for a run that has none yet.

    Parameters
    ----------
    path : Path
        A checkpoint, or a run folder, whose last one is meant.

    Raises
    ------
    CheckpointError
        When it is neither.
    """
    if is_checkpoint(path):
        return path
    if not (path / "config.json").exists():
        raise CheckpointError(
            f"resume: expected a run folder or one of its checkpoints; {path} has no config.json"
        )
    found = list_checkpoints(path)
    return found[-1] if found else None


def run_of(path: Path) -> Path:
    """Return the run folder that a checkpoint belongs to, or `path` itself."""
    return path.parent.parent if is_checkpoint(path) else path


def is_checkpoint(path: Path) -> bool:
    """Tell whether a path is that of a checkpoint, by its name: checkpoints/round-000150."""
    return path.name.startswith("round-") and path.parent.name == "checkpoints"


def _refused(place: Path, file: str, what: str) -> CheckpointError:
    others = [other for other in list_checkpoints(run_of(place)) if _age(other) < _age(place)]
    remedy = (
        f"the one before it: --resume {others[-1]}" if others else "there is none before it; "
        "start the run anew"
    )  # fmt: skip
    what = f"resume: {place / file} {what}"
    refused = CheckpointError(f"{what}; {remedy}")
    refused.what = what
    return refused


def _flushed(file: Path, payload: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(payload)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
