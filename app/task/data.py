"""Data sets as arrays in memory, each with the way from stored values to network input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


class DataMissing(ValueError):
    """A data set is not where it should be."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as stored, [n, ...] of any dtype, and labels int64 [n].

    to_input: a batch as stored -> float32 network input.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    to_input: Callable[[Tensor], Tensor]


DIGITS_TRAIN = 1437  # of 1,797; the other 360 are the test set


def load_digits() -> Dataset:
    """The 1,797 real 8x8 images that come with scikit-learn; a fixed stratified 80/20 split."""
    from sklearn.datasets import load_digits as embedded
    from sklearn.model_selection import train_test_split

    images, labels = embedded(return_X_y=True)
    parts = train_test_split(
        images.astype("float32") / 16.0,
        labels.astype("int64"),
        train_size=DIGITS_TRAIN,
        stratify=labels,
        random_state=0,
    )
    train_x, test_x, train_y, test_y = (torch.from_numpy(part) for part in parts)
    return Dataset(train_x, train_y, test_x, test_y, to_input=lambda x: x)


def load_torchvision(name: str, mean: float, std: float, data_dir: Path, download: bool) -> Dataset:
    """MNIST or FashionMNIST below `data_dir`/<name>/raw, scaled to mean 0 and std 1.

    The four original .gz files are unpacked where they lie if that was not done yet; a download
    happens only when asked for.
    Raises DataMissing with what was expected where.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    kind = getattr(datasets, name)
    raw = data_dir / name / "raw"
    intact = {archive: check_integrity(raw / archive, md5) for archive, md5 in kind.resources}
    unpacked = all((raw / archive).with_suffix("").exists() for archive in intact)
    if not (unpacked or all(intact.values()) or download):
        unusable = ", ".join(archive for archive, whole in intact.items() if not whole)
        raise DataMissing(
            f"data-dir: expected {name} in {raw}; missing or damaged there: {unusable}; point "
            "data-dir elsewhere or set download=true"
        )
    try:
        # With unpacked files or intact archives, download=True asks nobody for anything.
        train, test = (kind(data_dir, train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise DataMissing(f"data-dir: cannot read {name} in {raw}, remove it: {error}") from error

    def to_input(x: Tensor) -> Tensor:
        return ((x.to(torch.float32) / 255.0 - mean) / std).unsqueeze(1)

    return Dataset(train.data, train.targets, test.data, test.targets, to_input)
