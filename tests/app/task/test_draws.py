"""What is drawn ahead is what would have been drawn."""

import numpy as np
import pytest
import torch

from benchmarks.gpu.cases import Case, Kept
from signfed.app.config.run_config import parse
from signfed.app.task import TASKS, CropFlipRotate, Dataset


@pytest.fixture(scope="module")
def gradients():
    return Kept(Case("fd-cnn", 3, 4, 1, "sign-mv", "float32"), "cpu")._problem._gradients


def test_ahead_or_not_it_is_the_same(gradients):
    expected = [gradients.batch(worker, 7) for worker in range(3)]
    gradients.draw_ahead(range(3), 7)
    ahead = [gradients.batch(worker, 7) for worker in range(3)]
    again = [gradients.batch(worker, 7) for worker in range(3)]  # they were taken out
    for a, b, c in zip(expected, ahead, again, strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)


def test_it_is_drawn_once_and_only_for_its_round(gradients, monkeypatch):
    gradients.draw_ahead(range(3), 8)
    monkeypatch.setattr("signfed.app.task.draws.generator", None)
    assert len(gradients.batch(1, 8)) == 4
    with pytest.raises(TypeError):  # another round, another local step, a second time
        gradients.batch(1, 9)
    with pytest.raises(TypeError):
        gradients.batch(2, 8, 1)
    with pytest.raises(TypeError):
        gradients.batch(1, 8)


def test_each_worker_and_each_round_is_changed_in_its_own_way():
    keys = {"task": "cifar10", "model": "resnet-56", "num-workers": 2, "num-byzantine": 0}
    images = torch.zeros((40, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(40) % 10
    data = Dataset(images, labels, images[:10], labels[:10], augment=CropFlipRotate())
    workload = parse({**keys, "batch-size": 8, "device": "cpu"}).workload
    draws = TASKS["cifar10"].problem(workload, data)._gradients
    drawn = {draws.changes(worker, at).tobytes() for worker in (0, 1) for at in (1, 2)}
    assert len(drawn) == 4
