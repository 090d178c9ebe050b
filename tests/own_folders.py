"""Class folders of small images, as devices hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SCHEMA = {"task": "own-data", "own-data.shape": "1x6x5", "own-data.classes": "cat,dog"}


def write_images(folder: Path, number: int, seed: int = 0, size: tuple[int, int] = (5, 6)) -> None:
    """Cats are dark, dogs are bright."""
    draws = np.random.default_rng(seed)
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(number):
            pixels = draws.integers(0, 100, size[::-1], np.uint8) + 120 * label
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:03}.png")


def write_federation(place: Path, sizes: Sequence[int] = (9, 12, 5)) -> Path:
    """A folder for each worker, with sets of different sizes, and what the server tests on."""
    for worker, number in enumerate(sizes):
        write_images(place / str(worker), number, worker)
    write_images(place / "server", 20, 9)
    return place
