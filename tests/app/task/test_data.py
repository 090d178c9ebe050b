import gzip
import shutil
import struct
from collections import Counter
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets
from torchvision import datasets as torchvision_datasets

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.task import TASKS, DataMissing
from signfed.app.task.datasets.digits import load_digits
from signfed.app.task.partitions.stratified import stratified

# Shards


@settings(max_examples=150)
@given(
    labels=st.lists(st.integers(0, 5), max_size=120),
    num_workers=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_shards_are_disjoint_equal_and_stratified(labels, num_workers, seed):
    labels = np.array(labels, np.int64)
    shards = stratified(labels, num_workers, seed)
    assert shards.shape == (num_workers, len(labels) // num_workers)
    assert shards.dtype == np.int64
    assert len(np.unique(shards)) == shards.size
    assert ((shards >= 0) & (shards < len(labels))).all()
    for label in range(6):
        held = (labels[shards] == label).sum(axis=1)
        assert held.max() - held.min() <= 1
    assert np.array_equal(shards, stratified(labels, num_workers, seed))


def test_another_seed_deals_other_shards():
    labels = np.arange(100) % 10
    dealt = {stratified(labels, 5, seed).tobytes() for seed in range(5)}
    assert len(dealt) == 5


# Digits


def test_digits_are_split_once_and_for_all():
    data, again = load_digits(), load_digits()
    assert data.train_x.shape == (1437, 64) and data.test_x.shape == (360, 64)
    assert data.train_x.dtype == torch.float32 and data.train_y.dtype == torch.int64
    assert torch.equal(data.train_x, again.train_x) and torch.equal(data.test_y, again.test_y)
    for labels in (data.train_y, data.test_y):
        share = np.bincount(labels, minlength=10) / len(labels)
        assert share.min() > 0.09 and share.max() < 0.11


def test_digits_are_all_there_and_keep_their_labels():
    data = load_digits()
    x, y = torch.cat([data.train_x, data.test_x]), torch.cat([data.train_y, data.test_y])
    images, labels = sklearn_datasets.load_digits(return_X_y=True)
    expected = Counter((row.tobytes(), label) for row, label in zip(images, labels, strict=True))
    rows = (x.double() * 16).numpy()
    assert Counter((r.tobytes(), k) for r, k in zip(rows, y.tolist(), strict=True)) == expected


# MNIST and Fashion-MNIST, from small files in their real format

SIZES = {"train": 12, "t10k": 5}
KINDS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}


def idx(array):
    """The IDX format: 0, 0, 8 for uint8, the number of dimensions, big-endian sizes, the bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def arrays():
    random = np.random.default_rng(0)
    for part, n in SIZES.items():
        yield f"{part}-images-idx3-ubyte", random.integers(0, 256, (n, 28, 28), np.uint8)
        yield f"{part}-labels-idx1-ubyte", np.arange(n, dtype=np.uint8) % 10


ARCHIVES = [f"{name}.gz" for name, _ in arrays()]


@pytest.fixture(params=KINDS)
def archive(request, tmp_path, monkeypatch, urls_asked):
    """(task, folder of its four archives): torchvision is told their checksums, and no network."""
    kind = getattr(torchvision_datasets, KINDS[request.param])
    raw = tmp_path / kind.__name__ / "raw"
    raw.mkdir(parents=True)
    for name, array in arrays():
        (raw / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    checksums = [(name, md5((raw / name).read_bytes()).hexdigest()) for name in ARCHIVES]
    monkeypatch.setattr(kind, "resources", checksums)
    return TASKS[request.param], raw


def load(archive, download=False):
    task, raw = archive
    return task.load(raw.parent.parent, download)


def test_images_are_read_from_the_original_archives(archive):
    expected = dict(arrays())
    for data in (load(archive), load(archive)):
        assert np.array_equal(data.train_x, expected["train-images-idx3-ubyte"])
        assert np.array_equal(data.test_x, expected["t10k-images-idx3-ubyte"])
        assert np.array_equal(data.train_y, expected["train-labels-idx1-ubyte"])
        assert np.array_equal(data.test_y, expected["t10k-labels-idx1-ubyte"])
        assert data.train_y.dtype == data.test_y.dtype == torch.int64


def test_pixels_are_scaled_for_the_network(archive):
    data = load(archive)
    mean, std = {"MNIST": (0.1307, 0.3081), "FashionMNIST": (0.2860, 0.3530)}[archive[1].parts[-2]]
    x = data.to_input(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 3))
    expected = [(value - mean) / std for value in (0.0, 0.2, 1.0)]
    assert x.shape == (1, 1, 1, 3) and x.flatten().tolist() == pytest.approx(expected)
    assert data.to_input(data.test_x).shape == (5, 1, 28, 28)


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("damage", ["missing", "cut short", "one bit"])
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_downloaded(archive, name, damage):
    file = archive[1] / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.unlink()
    if damage != "missing":
        file.write_bytes(content[:-5] if damage == "cut short" else content)
    with pytest.raises(DataMissing, match=rf"damaged there: {name}; point data-dir") as caught:
        load(archive)
    assert str(archive[1]) in str(caught.value)


def unpack(archive):
    for name in ARCHIVES:
        content = gzip.decompress((archive[1] / name).read_bytes())
        (archive[1] / name).with_suffix("").write_bytes(content)


def test_nothing_is_written_so_a_folder_may_be_read_only(archive, monkeypatch):
    before = sorted(archive[1].parent.parent.rglob("*"))

    def read_only(*arguments, **options):
        raise PermissionError("Read-only file system")

    for name in ("write_bytes", "write_text", "mkdir", "unlink", "touch"):
        monkeypatch.setattr(Path, name, read_only)
    for download in (False, True):  # with intact archives nobody is asked for anything
        assert len(load(archive, download).train_y) == 12
    assert sorted(archive[1].parent.parent.rglob("*")) == before


def test_unpacked_files_serve_where_archives_are_not_whole(archive):
    expected = load(archive)
    unpack(archive)
    for name in ARCHIVES[:2]:
        (archive[1] / name).unlink()
    (archive[1] / ARCHIVES[2]).write_bytes(b"cut")
    found = load(archive)
    assert torch.equal(found.train_x, expected.train_x)
    assert torch.equal(found.test_x, expected.test_x)


def test_an_archive_that_is_whole_comes_before_what_was_unpacked(archive):
    expected = load(archive)
    unpack(archive)
    for name in ARCHIVES:
        (archive[1] / name).with_suffix("").write_bytes(b"")
    assert torch.equal(load(archive).train_x, expected.train_x)


def test_half_unpacked_files_without_their_archives_are_data_missing(archive, urls_asked):
    unpack(archive)
    (archive[1] / ARCHIVES[0]).unlink()
    (archive[1] / ARCHIVES[1]).unlink()
    (archive[1] / ARCHIVES[1]).with_suffix("").unlink()
    with pytest.raises(DataMissing, match=rf"damaged there: {ARCHIVES[1]};"):
        load(archive)
    assert not urls_asked


@pytest.mark.parametrize("place", ["archive", "unpacked", "both", "raw"])
def test_a_folder_in_place_of_a_file_is_named_and_nobody_is_asked(archive, place, urls_asked):
    file = archive[1] / ARCHIVES[1]
    if place == "raw":
        shutil.rmtree(archive[1])
        archive[1].write_text("a file")
    else:
        file.unlink()
    if place in ("archive", "both"):
        file.mkdir()
    if place in ("unpacked", "both"):
        file.with_suffix("").mkdir()
    with pytest.raises(DataMissing, match=f"missing or damaged there: .*{file.name}") as caught:
        load(archive)
    assert ("(a folder)" in str(caught.value)) == (place in ("archive", "both"))
    assert not urls_asked


def test_a_file_that_may_not_be_read_says_so(archive, monkeypatch):
    real = Path.open

    def refuse(path, *arguments, **options):
        if path.name == ARCHIVES[3]:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataMissing, match=rf"there: {ARCHIVES[3]} \(Permission denied\);"):
        load(archive)


DAMAGES = {
    "empty": (0, lambda content: b"", "expected an IDX file of 3 dimensions"),
    "cut": (0, lambda content: content[:-7], r"expected \d+ bytes; got \d+"),
    "longer": (1, lambda content: content + b"0", "expected 12 bytes; got 13"),
    "swapped": (0, lambda content: idx(np.arange(12, dtype=np.uint8)), "of 3 dimensions"),
    "images too few": (
        0, lambda content: idx(np.zeros((11, 28, 28), np.uint8)), "each of 11 images; got 12",
    ),
    "labels too few": (
        3, lambda content: idx(np.arange(4, dtype=np.uint8)), "each of 5 images; got 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("at, damaged, text", DAMAGES.values(), ids=DAMAGES)
def test_an_unpacked_file_that_is_damaged_is_data_missing_with_a_reason(archive, at, damaged, text):
    unpack(archive)
    for name in ARCHIVES:
        (archive[1] / name).unlink()
    load(archive)
    file = (archive[1] / ARCHIVES[at]).with_suffix("")
    file.write_bytes(damaged(file.read_bytes()))
    with pytest.raises(
        DataMissing, match=f"cannot read .*remove it: ValueError: .*{text}"
    ) as caught:
        load(archive)
    assert str(archive[1]) in str(caught.value)


def test_labels_that_no_model_has_an_output_for_are_refused(archive):
    unpack(archive)
    for name in ARCHIVES:
        (archive[1] / name).unlink()
    (archive[1] / ARCHIVES[3]).with_suffix("").write_bytes(idx(np.full(5, 77, np.uint8)))
    name = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist"}[archive[1].parts[-2]]
    given = {"task": name, "data-dir": str(archive[1].parent.parent), "device": "cpu",
             "num-workers": 2, "num-byzantine": 0, "batch-size": 2}  # fmt: skip
    with pytest.raises(ConfigError, match="expected labels below 10; got 77"):
        TASKS[name].problem(parse(given).workload)


def test_a_relative_folder_is_named_in_full(tmp_path, monkeypatch, urls_asked):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataMissing, match=f"expected MNIST in {tmp_path}/here/MNIST/raw"):
        TASKS["mnist"].load(Path("here"), False)


def test_an_empty_folder_is_data_missing(archive):
    for file in archive[1].iterdir():
        file.unlink()
    with pytest.raises(DataMissing, match=", ".join(ARCHIVES)):
        load(archive)


def test_a_download_happens_when_asked_for_and_its_failure_is_data_missing(archive, urls_asked):
    (archive[1] / ARCHIVES[0]).unlink()
    with pytest.raises(DataMissing, match="no route to host"):
        load(archive, download=True)
    assert urls_asked and urls_asked[0].endswith(ARCHIVES[0])


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.load])
def test_a_task_knows_its_size_before_it_is_loaded(name):
    known = {
        "digits": len(load_digits().train_y), "mnist": 60_000, "fashion-mnist": 60_000,
        "cifar10": 50_000, "cifar100": 50_000, "ag-news": 120_000,
        "spambase": 3_680,
    }  # fmt: skip
    assert TASKS[name].num_train == known[name]


SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.skipif(not (SHARED / "MNIST").exists(), reason="needs the shared data")
@pytest.mark.parametrize("task, mean", [("mnist", 33.318), ("fashion-mnist", 72.940)])
def test_the_real_archives_are_read(task, mean, tmp_path):
    name = KINDS[task]
    shutil.copytree(SHARED / name, tmp_path / name)
    data = TASKS[task].load(tmp_path, False)
    assert data.train_x.shape == (60_000, 28, 28) and data.test_x.shape == (10_000, 28, 28)
    assert data.test_y.bincount().min() > 850 and data.train_y.bincount().sum() == 60_000
    assert float(data.train_x.float().mean()) == pytest.approx(mean, abs=0.001)
    assert abs(float(data.to_input(data.train_x).mean())) < 0.001
