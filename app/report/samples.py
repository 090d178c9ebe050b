"""What lies in a device's own folder: a table, and a picture of some images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from signfed.app.errors import installed

SHOWN = 8  # images of a class


def print_own(y: np.ndarray, names: Sequence[str], batch_size: int, console: Console) -> None:
    """Print how many samples of each class there are, and what is odd about them.

    Parameters
    ----------
    y : ndarray, int64 [n]
        Labels.
    names : sequence of str
        Of the classes.
    batch_size : int
        Samples that a round takes.
    console : Console
        Where to print.
    """
    counts = np.bincount(y, minlength=len(names))
    table = Table("class", "samples", box=SIMPLE, padding=(0, 1, 0, 0))
    for name, count in zip(names, counts, strict=True):
        table.add_row(name, str(count))
    console.print(table)
    console.print(f"{len(y)} samples, {min(batch_size, len(y))} of them a round", highlight=False)
    if lacking := [name for name, count in zip(names, counts, strict=True) if not count]:
        console.print(f"none of: {', '.join(lacking)}", highlight=False)
    if len(y) < batch_size:
        console.print(
            f"fewer than batch-size={batch_size}: every round takes all of them", highlight=False
        )


def draw_samples(x: np.ndarray, y: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draw the first images of each class.

    Parameters
    ----------
    x : ndarray, uint8 [n, C, H, W]
        The images.
    y : ndarray, int64 [n]
        Their labels.
    names : sequence of str
        Of the classes.
    path : Path
        PNG; its folder exists.

    Raises
    ------
    ConfigError
        Without matplotlib.
    """
    with installed("the picture"):
        from matplotlib.figure import Figure

    there = [label for label in range(len(names)) if (y == label).any()]
    figure = Figure(figsize=(SHOWN, len(there) + 0.5), layout="constrained")
    axes = figure.subplots(len(there), SHOWN, squeeze=False)
    for row, label in zip(axes, there, strict=True):
        images = x[y == label][:SHOWN]
        for axis in row:
            axis.axis("off")
        for axis, image in zip(row, images, strict=False):
            axis.imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=255)
        row[0].set_title(names[label], loc="left")
    figure.savefig(path)
