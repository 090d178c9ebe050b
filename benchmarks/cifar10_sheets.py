"""CIFAR-10 from lossless WebP sheets, where torchvision's files are not at hand.

    signfed run -c "task='benchmarks.cifar10_sheets:load' model='resnet-56' data-dir='DIR' ..."

Reads DIR/cifar10/train_00.webp ... test_09.webp, 1,000 images a sheet in 25 rows of 40, and
train_labels.npy, test_labels.npy. Scaled and augmented like `task='cifar10'`. Such sheets are
rebuilt: where approximate_images.json lies beside them, those images came from JPEG and are not
exact, which is printed. torchvision's own files are checked against their md5 instead.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from signfed.app.task import DataMissing, Dataset
from signfed.app.task.datasets.images import cifar

ROWS, COLUMNS, SIDE = 25, 40, 32
SHEETS = {"train": 50, "test": 10}


def load(data_dir: Path, download: bool) -> Dataset:
    """The data set. Raises DataMissing."""
    folder = data_dir / "cifar10"
    named = [folder / f"{part}_{i:02}.webp" for part, n in SHEETS.items() for i in range(n)]
    named += [folder / f"{part}_labels.npy" for part in SHEETS]
    missing = [file.name for file in named if not file.exists()]
    if missing:
        raise DataMissing(f"data-dir: expected CIFAR-10's sheets in {folder}; missing: {missing}")
    approximate = folder / "approximate_images.json"
    if approximate.exists():
        listed = json.loads(approximate.read_text())
        count = sum(len(listed[part]) for part in SHEETS)
        Console(stderr=True).print(f"CIFAR-10, rebuilt: {count} of 60,000 images are approximate")
    data = cifar("CIFAR10", *(part_of(folder, part) for part in SHEETS))
    return replace(data, sides=(SIDE, SIDE))


def part_of(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n]."""
    sheets = [np.asarray(Image.open(folder / f"{part}_{i:02}.webp").convert("RGB"))
              for i in range(SHEETS[part])]  # fmt: skip
    images = np.concatenate([
        sheet.reshape(ROWS, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3) for sheet in sheets
    ]).reshape(-1, 3, SIDE, SIDE)  # fmt: skip
    labels = np.load(folder / f"{part}_labels.npy").astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)
