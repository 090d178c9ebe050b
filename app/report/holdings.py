"""Who holds which training samples, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from signfed.app.errors import installed

FEW_CLASSES, FEW_WORKERS = 10, 30  # up to which each count is shown


def print_holdings(held: np.ndarray, batches: Sequence[int], console: Console) -> None:
    """Print who holds how many samples, and how many of each class.

    Counts by class where there are few classes and they fit the console, else how many classes.

    Parameters
    ----------
    held : ndarray, int [M, C]
        Samples of each class, by worker.
    batches : sequence of int
        Samples a round, by worker.
    console : Console
        Where to print.
    """
    workers, classes = held.shape
    table = _table(held, batches, by_class=classes <= FEW_CLASSES)
    needed = Measurement.get(console, console.options.update(width=1000), table).maximum
    if needed > console.width:
        table = _table(held, batches, by_class=False)
    console.print(table)
    sizes = held.sum(axis=1)
    console.print(
        f"{workers} workers, {sizes.min()} to {sizes.max()} samples each, "
        f"{(held > 0).sum(axis=1).min()} to {(held > 0).sum(axis=1).max()} of {classes} classes"
    )


def _table(held: np.ndarray, batches: Sequence[int], *, by_class: bool) -> Table:
    named = map(str, range(held.shape[1])) if by_class else ("classes", "largest class")
    table = Table("worker", "samples", "batch", *named, box=SIMPLE, padding=(0, 1, 0, 0))
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    for worker, (row, batch) in enumerate(zip(held, batches, strict=True)):
        largest = f"{int(row.argmax())} ({row.max() / row.sum():.0%})"
        counts = [str(n or "·") for n in row] if by_class else [str((row > 0).sum()), largest]
        table.add_row(str(worker), str(row.sum()), str(batch), *counts)
    return table


def draw_holdings(held: np.ndarray, title: str, file: Path) -> None:
    """Draw workers by classes as a map, with each worker's total beside it.

    Parameters
    ----------
    held : ndarray, int [M, C]
        Samples of each class, by worker.
    title : str
        Of the picture.
    file : Path
        The PNG that is written.

    Raises
    ------
    ConfigError
        When matplotlib is not installed.
    """
    with installed("the picture"):
        from matplotlib.figure import Figure

    workers, classes = held.shape
    width = 4.5 + min(0.45 * classes, 8)
    height = 2 + min(0.28 * workers, 9)
    figure = Figure(figsize=(width, height), layout="constrained")
    cells, totals = figure.subplots(
        1, 2, sharey=True, width_ratios=[3, 1], gridspec_kw={"wspace": 0.02}
    )
    shown = cells.pcolormesh(held, cmap="Blues", vmin=0, edgecolor="white", linewidth=0.5)
    if classes <= FEW_CLASSES and workers <= FEW_WORKERS:
        _write_counts(cells, held)
    else:
        figure.colorbar(
            shown, ax=[cells, totals], location="bottom", shrink=0.4, aspect=30, pad=0.02,
            label="samples",
        )  # fmt: skip
    step, every = -(-workers // 25), -(-classes // 10)
    cells.set(
        title=title, xlabel="class", ylabel="worker", ylim=(workers, 0),
        xticks=np.arange(0, classes, every) + 0.5, yticks=np.arange(0, workers, step) + 0.5,
    )  # fmt: skip
    cells.set_xticklabels(range(0, classes, every))
    cells.set_yticklabels(range(0, workers, step))
    cells.tick_params(length=0)
    totals.barh(np.arange(workers) + 0.5, held.sum(axis=1), height=0.8, color="tab:blue")
    totals.set(xlabel="samples")
    totals.tick_params(left=False, labelleft=False)
    totals.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)


def _write_counts(cells: Any, held: np.ndarray) -> None:
    for (worker, label), count in np.ndenumerate(held):
        if count:
            dark = count > 0.6 * held.max()
            cells.text(
                label + 0.5, worker + 0.5, str(count), ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
