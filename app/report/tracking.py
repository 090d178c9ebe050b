"""The rounds of runs as TensorBoard event files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import installed
from signfed.app.report.reading import Run
from signfed.app.runs.verdicts import standings

EVENTS = "tensorboard"


def scalars(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a round under the names that TensorBoard groups them by.

    >>> scalars({"round": 3, "test_loss": None, "received": 2, "seconds": {"server": 0.5}})
    {'round/received': 2.0, 'seconds/server': 0.5}

    Parameters
    ----------
    line : dict
        Of `rounds.jsonl`.
    """
    found = {
        f"round/{name}": float(value)
        for name, value in line.items()
        if name != "round" and isinstance(value, int | float)
    }
    found |= {
        f"dropped/{reason}": float(len(ids)) for reason, ids in line.get("dropped", {}).items()
    }
    found |= {f"seconds/{phase}": float(s) for phase, s in line.get("seconds", {}).items()}
    for name, numbers in standings(line).items():
        found |= {f"{name}/worker {worker}": float(x) for worker, x in numbers.items()}
    return found


def write_events(runs: Sequence[Run], folder: Path) -> Path:
    """Write an event file for each run, in a folder of its name.

    Parameters
    ----------
    runs : sequence of Run
        Whose rounds are written.
    folder : Path
        Beside the report; what an earlier call left of the same run there is replaced.

    Returns
    -------
    Path
        The folder that `tensorboard --logdir` takes.

    Raises
    ------
    ConfigError
        When tensorboard is not installed.
    """
    with installed("--tensorboard"):
        import tensorboard  # noqa: F401  (torch's writer says in its own way that it is missing)
        from torch.utils.tensorboard import SummaryWriter

    place = folder / EVENTS
    for run in runs:
        own = place / run.path.resolve().name
        for old in own.glob("events.out.tfevents.*"):
            old.unlink()
        with SummaryWriter(str(own)) as writer:
            for line in run.rounds:
                for name, value in scalars(line).items():
                    writer.add_scalar(name, value, line["round"])
    return place
