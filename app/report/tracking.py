"""The rounds of runs as TensorBoard event files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signfed.app.errors import installed
from signfed.app.report.names import names_of
from signfed.app.report.reading import Run
from signfed.app.report.sources import Sources
from signfed.app.runs.verdicts import standings

EVENTS = "tensorboard"
UNUSUAL = re.compile(r"[^\w.,=+-]+")  # in the name of a folder


def scalars(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a round under the names that TensorBoard groups them by.

    >>> scalars({"round": 3, "test_loss": None, "received": 2, "seconds": {"server": 0.5}})
    {'round/received': 2.0, 'seconds/server': 0.5}
    >>> scalars({"round": 3, "server_metrics": {"f1": 0.5, "by_class": [1, 0]}})
    {'server/f1': 0.5}

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
    found |= {
        f"server/{name}": float(value)
        for name, value in line.get("server_metrics", {}).items()
        if isinstance(value, int | float)
    }
    for name, numbers in standings(line).items():
        found |= {f"{name}/worker {worker}": float(x) for worker, x in numbers.items()}
    return found


def named_runs(found: Sources) -> dict[str, Run]:
    """Return all runs by names that tell them apart: of a sweep's cells, their keys.

    Parameters
    ----------
    found : Sources
        Runs and sweeps.

    Returns
    -------
    dict
        Names are good for folders, which may lie in one another.
    """
    folders = names_of(run.path for run in found.runs)
    sweeps = names_of(sweep.path for sweep in found.sweeps)
    runs = {folders[run.path]: run for run in found.runs}
    for sweep in found.sweeps:
        for cell in sweep.cells:
            keys = ",".join(f"{key}={value}" for key, value in cell.keys.items())
            runs[f"{sweeps[sweep.path]},{UNUSUAL.sub('-', keys)}"] = Run(cell.path)
    return runs


def write_events(runs: Mapping[str, Run], folder: Path) -> Path:
    """Write an event file for each run that has rounds, in a folder of its name.

    Parameters
    ----------
    runs : mapping
        Name -> run.
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
    for name, run in runs.items():
        own = place / name
        for old in own.glob("events.out.tfevents.*"):
            old.unlink()
        if not run.rounds:
            continue
        with SummaryWriter(str(own)) as writer:
            for line in run.rounds:
                for tag, value in scalars(line).items():
                    writer.add_scalar(tag, value, line["round"])
    return place
