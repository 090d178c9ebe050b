"""Images that torchvision reads, from where torchvision keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.datasets.augment import CropFlipRotate
from signfed.app.task.datasets.dataset import DataMissing, Dataset

# Red, green, blue, of the training images, 0 to 1.
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR100_MEAN, CIFAR100_STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)


def scaled(x: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Bytes [n, C, H, W] -> float32 of mean 0 and deviation 1 a channel."""
    shape = (1, len(mean), 1, 1)
    mean_, std_ = (torch.tensor(v, device=x.device).view(shape) for v in (mean, std))
    return (x.to(torch.float32) / 255.0 - mean_) / std_


def load_mnist(name: str, mean: float, std: float, data_dir: Path, download: bool) -> Dataset:
    """MNIST or FashionMNIST below `data_dir`/<name>/raw, scaled to mean 0 and std 1.

    The four original .gz files are unpacked where they lie if that was not done yet; a download
    happens only when asked for.
    Raises DataMissing with what was expected where, and where it comes from.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    kind = getattr(datasets, name)
    raw = data_dir / name / "raw"
    intact = {archive: check_integrity(raw / archive, md5) for archive, md5 in kind.resources}
    unpacked = all((raw / archive).with_suffix("").exists() for archive in intact)
    if not (unpacked or all(intact.values()) or download):
        unusable = [archive for archive, whole in intact.items() if not whole]
        raise missing(name, raw, unusable, kind.mirrors[0])
    # With unpacked files or intact archives, download=True asks nobody for anything.
    train, test = read(name, raw, partial(kind, data_dir, download=True))

    def to_input(x: Tensor) -> Tensor:
        return ((x.to(torch.float32) / 255.0 - mean) / std).unsqueeze(1)

    return Dataset(train.data, train.targets, test.data, test.targets, to_input)


def load_cifar(name: str, data_dir: Path, download: bool) -> Dataset:
    """CIFAR10 or CIFAR100 below `data_dir`, as torchvision unpacks it, or its intact archive there.

    Training images are cropped and flipped at random, those of CIFAR-100 rotated too.
    Raises DataMissing with what was expected where, and where it comes from.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    kind = getattr(datasets, name)
    folder = data_dir / kind.base_folder
    meta = (kind.meta["filename"], kind.meta["md5"])
    files = [*kind.train_list, *kind.test_list, meta]
    unusable = [file for file, md5 in files if not check_integrity(folder / file, md5)]
    archive = check_integrity(data_dir / kind.filename, kind.tgz_md5)
    if unusable and not (archive or download):
        raise missing(name, folder, unusable, kind.url, f" (or {kind.filename} in {data_dir})")
    # With intact files or archive, download=True asks nobody for anything.
    train, test = read(name, folder, partial(kind, data_dir, download=True))
    arrays = [torch.from_numpy(np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)))
              for part in (train, test)]  # fmt: skip
    labels = [torch.tensor(part.targets) for part in (train, test)]
    dress = cifar10 if name == "CIFAR10" else cifar100
    return dress(arrays[0], labels[0], arrays[1], labels[1])


def cifar10(train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor) -> Dataset:
    """CIFAR-10's images, uint8 [n, 3, 32, 32], with its scaling; random crop and flip."""
    to_input = partial(scaled, mean=CIFAR10_MEAN, std=CIFAR10_STD)
    return Dataset(train_x, train_y, test_x, test_y, to_input, CropFlipRotate())


def cifar100(train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor) -> Dataset:
    """CIFAR-100's images with its scaling; random crop, flip, and rotation by up to 15 degrees."""
    to_input = partial(scaled, mean=CIFAR100_MEAN, std=CIFAR100_STD)
    return Dataset(train_x, train_y, test_x, test_y, to_input, CropFlipRotate(degrees=15.0))


def read(name: str, folder: Path, kind: Callable[..., Any]) -> tuple[Any, Any]:
    """(train, test) as torchvision has them; what it cannot read is DataMissing."""
    try:
        return kind(train=True), kind(train=False)
    except (OSError, RuntimeError, ValueError, AssertionError, EOFError) as error:
        raise DataMissing(
            f"data-dir: cannot read {name} in {folder}, remove it: {error}"
        ) from error


def missing(
    name: str, folder: Path, files: Sequence[str], source: str, otherwise: str = ""
) -> DataMissing:
    """The one form of what is said about files that are not there or not whole."""
    return DataMissing(
        f"data-dir: expected {name} in {folder}{otherwise}; missing or damaged there: "
        f"{', '.join(files)}; point data-dir elsewhere or set download=true (from {source})"
    )
