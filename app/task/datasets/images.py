"""Images in the published files, read where they lie: nothing is unpacked or written."""

from __future__ import annotations

import gzip
import pickle
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.datasets.augment import CropFlipRotate
from signfed.app.task.datasets.dataset import DataMissing, Dataset
from signfed.app.task.datasets.files import fault, missing, whole
from signfed.strategies.core.own import reason

Samples = tuple[Tensor, Tensor]  # images and their labels

# Mean and deviation of red, green, blue in the training images, 0 to 1; what augments them.
CIFAR = {
    "CIFAR10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), CropFlipRotate()),
    "CIFAR100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), CropFlipRotate(degrees=15.0)),
}


def scaled(x: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Scale bytes to mean 0 and deviation 1 in each channel.

    Parameters
    ----------
    x : Tensor, uint8 [n, C, H, W]
        Images.
    mean, std : sequence of float
        Of each channel, 0 to 1.

    Returns
    -------
    Tensor, float32 [n, C, H, W]
    """
    shape = (1, len(mean), 1, 1)
    mean_, std_ = (torch.tensor(v, device=x.device).view(shape) for v in (mean, std))
    return (x.to(torch.float32) / 255.0 - mean_) / std_


def load_mnist(name: str, mean: float, std: float, data_dir: Path, download: bool) -> Dataset:
    """Load MNIST or FashionMNIST from the four published .gz files, or what was unpacked of them.

    Parameters
    ----------
    name : {"MNIST", "FashionMNIST"}
    mean, std : float
        Of the pixels, 0 to 1; to_input scales by them.
    data_dir : Path
        The files lie below `data_dir`/<name>/raw. Nothing is written there but a download.
    download : bool
        Whether a file that is not there may be downloaded.

    Returns
    -------
    Dataset
        Images uint8 [n, 28, 28].

    Raises
    ------
    DataMissing
        With what was expected where, and where it comes from.
    """
    from torchvision import datasets

    kind, raw = getattr(datasets, name), data_dir / name / "raw"
    lacking = {
        archive: md5
        for archive, md5 in kind.resources
        if not (raw / archive).with_suffix("").is_file()
    }
    whole(name, raw, lacking, kind.mirrors, download)
    with readable(name, raw):
        train_x, train_y, test_x, test_y = (_idx(raw / file, md5) for file, md5 in kind.resources)
        as_many(train_x, train_y)
        as_many(test_x, test_y)

    def to_input(x: Tensor) -> Tensor:
        return ((x.to(torch.float32) / 255.0 - mean) / std).unsqueeze(1)

    return Dataset(train_x, train_y.long(), test_x, test_y.long(), to_input)


def _idx(archive: Path, md5: str) -> Tensor:
    """The bytes in an archive, or in what was unpacked of it where the archive is not whole.

    IDX format: 0, 0, 8 for bytes, number of dimensions, big-endian sizes, the bytes.
    """
    unpacked, dimensions = archive.with_suffix(""), 3 if "idx3" in archive.name else 1
    packed = fault(archive, md5) is None
    content = gzip.decompress(archive.read_bytes()) if packed else unpacked.read_bytes()
    start = 4 + 4 * dimensions
    if len(content) < start or tuple(content[:4]) != (0, 0, 8, dimensions):
        raise ValueError(f"{unpacked.name}: expected an IDX file of {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(np.int64)
    if len(content) - start != shape.prod():
        raise ValueError(
            f"{unpacked.name}: expected {shape.prod()} bytes; got {len(content) - start}"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def load_cifar(name: str, data_dir: Path, download: bool) -> Dataset:
    """Load CIFAR10 or CIFAR100 from the published archive, or from the batches that were in it.

    Training images are cropped and flipped at random, those of CIFAR-100 rotated too.

    Parameters
    ----------
    name : {"CIFAR10", "CIFAR100"}
    data_dir : Path
        Holds the archive, or the folder that it unpacks to. Nothing is written there but a
        download.
    download : bool
        Whether the archive may be downloaded.

    Returns
    -------
    Dataset
        Images uint8 [n, 3, 32, 32].

    Raises
    ------
    DataMissing
        With what was expected where, and where it comes from.
    """
    from torchvision import datasets

    kind = getattr(datasets, name)
    folder, archive = data_dir / kind.base_folder, data_dir / kind.filename
    parts = [*kind.train_list, *kind.test_list]
    faults = [text for file, md5 in parts if (text := fault(folder / file, md5))]
    if faults and fault(archive, kind.tgz_md5):
        if not download:
            hint = f" (or {kind.filename} in {data_dir.absolute()})"
            raise missing(name, folder, faults, kind.url, hint)
        source = kind.url.removesuffix(kind.filename)
        whole(name, data_dir, {kind.filename: kind.tgz_md5}, [source], download)
    files = [file for file, _ in parts]
    with readable(name, archive if faults else folder):
        if faults:
            batches = _packed(archive, kind.base_folder, files)
        else:
            batches = {file: _unpickled((folder / file).open("rb")) for file in files}
        train = _joined([batches[file] for file, _ in kind.train_list])
        test = _joined([batches[file] for file, _ in kind.test_list])
    return cifar(name, train, test)


def _packed(archive: Path, folder: str, files: Sequence[str]) -> dict[str, Any]:
    """The batches in an archive, in one pass."""
    inside = {f"{folder}/{file}": file for file in files}
    with tarfile.open(archive, "r|gz") as tar:
        return {
            inside[member.name]: _unpickled(tar.extractfile(member))
            for member in tar
            if member.name in inside
        }


def _unpickled(stream: IO[bytes] | None) -> Any:
    """A batch, of which the checksum is the published one."""
    if stream is None:
        raise ValueError("expected a file in the archive; got a folder")
    with stream:
        return pickle.load(stream, encoding="latin1")


def _joined(batches: Sequence[dict[str, Any]]) -> Samples:
    images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
    key = "labels" if "labels" in batches[0] else "fine_labels"
    labels = torch.tensor([label for batch in batches for label in batch[key]])
    found = torch.from_numpy(images)
    as_many(found, labels)
    return found, labels


def cifar(name: str, train: Samples, test: Samples) -> Dataset:
    """Make a data set of CIFAR's images, with the scaling and the augmentation of their kind.

    Parameters
    ----------
    name : {"CIFAR10", "CIFAR100"}
        Either is cropped and flipped at random, CIFAR-100 rotated by up to 15 degrees too.
    train, test : tuple
        Images uint8 [n, 3, 32, 32], and labels int64 [n].
    """
    mean, std, augment = CIFAR[name]
    return Dataset(*train, *test, partial(scaled, mean=mean, std=std), augment)


@contextmanager
def readable(name: str, place: Path) -> Iterator[None]:
    """Turn what goes wrong in reading files into DataMissing, with the reason.

    Parameters
    ----------
    name : str
        Of the data set.
    place : Path
        Where the files lie.

    Raises
    ------
    DataMissing
        For any exception of the body.
    """
    try:
        yield
    except Exception as error:
        raise DataMissing(
            f"data-dir: cannot read {name} in {place.absolute()}, remove it: {reason(error)}"
        ) from error


def as_many(images: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless there is a label for each image.

    Parameters
    ----------
    images : Tensor [n, ...]
    labels : Tensor [n]
    """
    if len(images) != len(labels):
        raise ValueError(f"expected a label for each of {len(images)} images; got {len(labels)}")
