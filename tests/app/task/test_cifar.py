"""CIFAR-10 and CIFAR-100 from small files in their real format; the rebuilt one where it is."""

import io
import pickle
import tarfile
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from signfed.app.task import TASKS, CropFlipRotate, DataMissing

KINDS = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def batches(kind):
    """Content of each file: dictionaries as the original ones pickle them, 4 images each."""
    draws, label = np.random.default_rng(0), "labels" if kind is datasets.CIFAR10 else "fine_labels"
    for i, (file, _) in enumerate([*kind.train_list, *kind.test_list]):
        rows = draws.integers(0, 256, (4, 3072), dtype=np.uint8)
        yield file, {"data": rows, label: [(i + j) % 10 for j in range(4)]}
    names = [f"class {i}" for i in range(100 if label == "fine_labels" else 10)]
    yield kind.meta["filename"], {kind.meta["key"]: names}


@pytest.fixture(params=KINDS)
def written(request, tmp_path, monkeypatch, urls_asked):
    """(task name, folder of the batches): torchvision is told their checksums, and no network."""
    kind = KINDS[request.param]
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    sums = {}
    for file, content in batches(kind):
        (folder / file).write_bytes(pickle.dumps(content))
        sums[file] = md5((folder / file).read_bytes()).hexdigest()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, kind.base_folder)
    monkeypatch.setattr(kind, "train_list", [[file, sums[file]] for file, _ in kind.train_list])
    monkeypatch.setattr(kind, "test_list", [[file, sums[file]] for file, _ in kind.test_list])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums[kind.meta["filename"]]})
    monkeypatch.setattr(kind, "tgz_md5", md5(archive.getvalue()).hexdigest())
    return request.param, folder, archive.getvalue()


def load(written, download=False):
    name, folder, _ = written
    return TASKS[name].load(folder.parent, download)


def expected(written):
    found = dict(batches(KINDS[written[0]]))
    train = [file for file, _ in KINDS[written[0]].train_list]
    rows = np.concatenate([found[file]["data"] for file in train])
    labels = [v for file in train for k, v in found[file].items() if "labels" in k]
    return rows.reshape(-1, 3, 32, 32), np.concatenate(labels)


def test_images_are_read_as_stored(written):
    data = load(written)
    images, labels = expected(written)
    assert np.array_equal(data.train_x, images) and np.array_equal(data.train_y, labels)
    assert data.train_x.dtype == torch.uint8 and data.train_y.dtype == torch.int64
    assert data.test_x.shape == (4, 3, 32, 32) and len(data.test_y) == 4


def test_the_intact_archive_is_read_where_batches_lack_and_nothing_is_written(written):
    name, folder, archive = written
    images, labels = expected(written)
    (folder.parent / KINDS[name].filename).write_bytes(archive)
    for file in sorted(folder.iterdir()):
        file.unlink()
        before = sorted(folder.parent.rglob("*"))
        data = load(written)
        assert np.array_equal(data.train_x, images) and np.array_equal(data.train_y, labels)
        assert sorted(folder.parent.rglob("*")) == before


def test_batches_with_another_number_of_labels_are_data_missing(written, monkeypatch):
    name, folder, _ = written
    kind = KINDS[name]
    file = kind.test_list[0][0]
    content = pickle.loads((folder / file).read_bytes())
    short = {key: value if key == "data" else value[:3] for key, value in content.items()}
    (folder / file).write_bytes(pickle.dumps(short))
    md5_of = md5((folder / file).read_bytes()).hexdigest()
    monkeypatch.setattr(kind, "test_list", [[file, md5_of]])
    with pytest.raises(DataMissing, match=r"cannot read .*a label for each of 4 images; got 3"):
        load(written)


def test_an_archive_without_a_batch_is_data_missing_with_a_reason(written, monkeypatch):
    name, folder, _ = written
    kind = KINDS[name]
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w:gz"):
        pass
    (folder.parent / kind.filename).write_bytes(empty.getvalue())
    monkeypatch.setattr(kind, "tgz_md5", md5(empty.getvalue()).hexdigest())
    (folder / kind.train_list[0][0]).unlink()
    with pytest.raises(DataMissing, match=f"remove it: KeyError: '{kind.train_list[0][0]}'"):
        load(written)


def test_a_folder_in_place_of_a_batch_is_named_and_nobody_is_asked(written, urls_asked):
    name, folder, _ = written
    file = folder / KINDS[name].train_list[0][0]
    file.unlink()
    file.mkdir()
    with pytest.raises(DataMissing, match=rf"damaged there: {file.name} \(a folder\); point"):
        load(written)
    assert not urls_asked


def test_pixels_are_scaled_by_channel_and_changed_in_training(written):
    data = load(written)
    x = data.to_input(torch.full((1, 3, 32, 32), 51, dtype=torch.uint8))
    pixels = {"cifar10": (-1.17976, -1.15893, -0.94228), "cifar100": (-1.14890, -1.11739, -0.87219)}
    assert x[0, :, 5, 5].tolist() == pytest.approx(pixels[written[0]], abs=2e-5)
    assert len(x[0, :, 0, 0].unique()) == 3 and x.dtype == torch.float32
    degrees = {"cifar10": 0.0, "cifar100": 15.0}[written[0]]
    assert data.augment == CropFlipRotate(padding=4, degrees=degrees)


@pytest.mark.parametrize("damage", ["missing", "cut short", "one bit"])
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_downloaded(written, damage):
    name, folder, archive = written
    for file in sorted(set(folder.iterdir()) - {folder / KINDS[name].meta["filename"]}):
        content = bytearray(file.read_bytes())
        changed = content[:-5] if damage == "cut short" else content[:-1] + bytes([content[-1] ^ 1])
        file.unlink()
        if damage != "missing":
            file.write_bytes(changed)
        (folder.parent / KINDS[name].filename).write_bytes(archive[:-5])  # cut short as well
        text = rf"damaged there: {file.name}; point data-dir elsewhere .*from {KINDS[name].url}"
        with pytest.raises(DataMissing, match=text) as caught:
            load(written)
        assert str(folder) in str(caught.value) and KINDS[name].filename in str(caught.value)
        file.write_bytes(content)
    load(written)


def test_a_download_happens_when_asked_for_and_its_failure_is_data_missing(written, urls_asked):
    (written[1] / KINDS[written[0]].train_list[0][0]).unlink()
    with pytest.raises(DataMissing, match="no route to host"):
        load(written, download=True)
    assert urls_asked and urls_asked[0] == KINDS[written[0]].url


@pytest.mark.skipif(not (SHARED / "cifar10").exists(), reason="needs the shared data")
def test_the_rebuilt_cifar10_has_its_means():
    from benchmarks.cifar10_sheets import part_of

    images, labels = part_of(SHARED / "cifar10", "test")
    assert images.shape == (10_000, 3, 32, 32) and labels.bincount().tolist() == [1000] * 10
    found = (images.float() / 255).mean(dim=(0, 2, 3)).tolist()
    assert found == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.005)
