"""What all benchmarks share: repeated timing, a table that is also written as JSON, the machine."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from signfed.app.experiments.manifest import hardware
from signfed.app.task import Dataset


def seconds(work: Callable[[], Any], *, repeat: int = 11, at_least: float = 0.0) -> float:
    """Median wall-clock seconds of a call, the first one not counted.

    Repeats until `repeat` calls and `at_least` seconds are over, at most 1,000 calls.
    """
    work()
    found: list[float] = []
    started = time.perf_counter()
    while len(found) < repeat or (time.perf_counter() - started < at_least and len(found) < 1000):
        before = time.perf_counter()
        work()
        found.append(time.perf_counter() - before)
    return median(found)


def random_images(shape: tuple[int, ...], samples: int, tested: int = 10) -> Dataset:
    """Noise with labels: the time of a gradient does not depend on what is seen."""
    draws = np.random.default_rng(0)
    x = torch.from_numpy(draws.standard_normal((samples, *shape), dtype=np.float32))
    y = torch.from_numpy(np.arange(samples) % 10)
    return Dataset(x, y, x[:tested], y[:tested], to_input=lambda x: x)


def machine() -> dict[str, str]:
    """Hardware and versions."""
    here, packages = hardware(), ("torch", "numpy", "flwr")
    return {
        "cpu": f"{here['cpu']}, {here['cores']} cores",
        "gpu": next(iter(here["gpus"]), "none"),
        "python": platform.python_version(),
    } | {name: version(name) for name in packages}


def report(title: str, rows: list[dict[str, Any]], out: Path | None) -> None:
    """Print rows (alike in their keys) as a table; write them with the machine as JSON."""
    console = Console(width=140)
    table = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
        table.add_row(*("-" if text == "None" else text for text in shown))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        result = {"title": title, "machine": machine(), "rows": rows}
        out.write_text(json.dumps(result, indent=2) + "\n")
