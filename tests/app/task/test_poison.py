"""Images as attacks see them: there and back; a poisoned batch; the triggered test set; success."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.task import TASKS, Classification, Dataset
from signfed.app.task.datasets.images import cifar
from signfed.app.task.own import own_data
from signfed.app.task.poison import as_images, as_stored, poisoned, triggered
from signfed.attacks import Batch, Trigger, build


@pytest.mark.parametrize(
    "shape, channels, sides",
    [((28, 28), 1, (28, 28)), ((3, 4, 5), 3, (4, 5)), ((8,), 1, (2, 4)), ((24,), 3, (2, 4))],
)
def test_samples_are_images_and_images_samples(shape, channels, sides):
    x = (torch.arange(7 * int(np.prod(shape))) % 256).to(torch.uint8).view(7, *shape)
    images = as_images(x, sides)
    assert images.dtype == np.float32 and images.shape == (7, channels, *sides)
    assert images.ravel()[:3].tolist() == pytest.approx([0, 1 / 255, 2 / 255])
    assert torch.equal(as_stored(images, x), x)


def test_every_byte_comes_back_as_it_was():
    x = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert torch.equal(as_stored(as_images(x, (16, 16)), x), x)


def test_a_trigger_between_two_bytes_is_the_nearer_one():
    images = np.array([[[[0.5, 0.7]]]], np.float32)  # 127.5, a tie that goes to even, and 178.5
    like = torch.zeros(1, 2, dtype=torch.uint8)
    assert as_stored(images, like).tolist() == [[128, 178]]


def test_numbers_stay_as_they_are_and_bytes_do_not_wrap():
    x = torch.tensor([[0.1, -3.0, 0.7, 9.0]])
    assert torch.equal(as_stored(as_images(x, (2, 2)), x), x)
    like = torch.zeros(1, 2, dtype=torch.uint8)
    assert as_stored(np.array([[[[-0.5, 1.5]]]], np.float32), like).tolist() == [[0, 255]]


def test_a_batch_is_what_the_attack_makes_of_it():
    x, y = torch.zeros(3, 4, dtype=torch.uint8), torch.tensor([0, 1, 2])
    seen = []

    def poison(batch):
        seen.append(batch)
        return Batch(batch.labels + 1, batch.images + 1, 5.0)

    found, labels, boost = poisoned(x, y, (2, 2), poison)
    assert seen[0].images.shape == (3, 1, 2, 2) and seen[0].labels.tolist() == [0, 1, 2]
    assert found.tolist() == [[255] * 4] * 3 and labels.tolist() == [1, 2, 3] and boost == 5.0
    found, _, _ = poisoned(x, y, None, lambda batch: Batch(batch.labels, batch.images))
    assert found is x  # samples that are no images are not even shown


def test_the_triggered_test_set_by_hand():
    x = torch.arange(12, dtype=torch.uint8).view(3, 4)
    data = Dataset(x, torch.tensor([0, 1, 2]), x, torch.tensor([1, 0, 1]), sides=(2, 2))
    trigger = build("backdoor", target=1, size=1, value=1.0).trigger
    found = triggered(data, trigger)
    assert found.test_x.tolist() == [[4, 5, 6, 255]] and found.test_y.tolist() == [1]
    assert data.test_x.tolist() == x.tolist()
    with pytest.raises(ConfigError, match="images of another class than 1, the backdoor's target"):
        triggered(replace(data, test_y=torch.ones(3, dtype=torch.int64)), trigger)
    with pytest.raises(ConfigError, match="with sides"):
        triggered(replace(data, sides=None), trigger)


@pytest.fixture(scope="module")
def digits():
    return TASKS["digits"].problem(parse({"device": "cpu"}).workload)


def test_the_success_rate_is_the_share_of_other_classes_that_are_taken_for_the_target(digits):
    """Image by image, on a model of some steps; the target is one that it takes some images for."""
    x = digits.initial().numpy()
    for server_round in range(1, 15):
        x = x - 0.3 * digits.gradient(x, 0, server_round)
    model, data = digits._evaluated, digits._data
    rates = []
    for target in range(10):
        trigger = build("backdoor", target=target, size=4).trigger
        scores = digits.evaluate(torch.from_numpy(x), trigger)
        hits = []
        for image, label in zip(data.test_x.numpy(), data.test_y.tolist(), strict=True):
            stamped = image.reshape(8, 8).copy()
            stamped[4:, 4:] = 1.0
            with torch.no_grad():
                taken = int(model(torch.from_numpy(stamped.reshape(1, 64))).argmax())
            hits += [taken == target] if label != target else []
        assert scores["backdoor_success"] == sum(hits) / len(hits) and len(hits) < 360
        rates.append(scores.pop("backdoor_success"))
        assert scores == digits.evaluate(torch.from_numpy(x))
    assert 0.0 <= min(rates) < 0.2 < max(rates) <= 1.0


def test_a_poisoned_gradient_is_that_of_the_changed_samples(digits):
    x = digits.initial().numpy()
    attack = build("backdoor", target=7, share=0.5, boost=3.0)

    def poison(batch):
        images = batch.images.copy()
        images[:32] = attack.trigger.stamp(images[:32])
        return Batch(np.where(np.arange(64) < 32, 7, batch.labels), images, 3.0)

    ids = digits._gradients.batch(4, 2)
    changed, y = digits._data.train_x.clone(), digits._data.train_y.clone()
    first = torch.from_numpy(ids[:32])
    squares = changed[first].view(-1, 8, 8)
    squares[:, 5:, 5:] = 1.0
    changed[first], y[first] = squares.reshape(-1, 64), 7
    data = replace(digits._data, train_x=changed, train_y=y)
    other = Classification(digits._workload, data, 10)
    gradients = other._gradients
    gradients._shards = digits.shards
    expected = np.float32(3.0) * gradients(x, 4, 2)
    assert digits.gradient(x, 4, 2, poison).tobytes() == expected.tobytes()
    assert digits.gradient(x, 4, 2).tobytes() != expected.tobytes()


def test_the_trigger_comes_after_the_augmentation():
    """A square in the corner of a cropped, flipped image is in the corner, on all of them."""
    x = torch.randint(0, 200, (40, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator())
    y = torch.arange(40) % 10
    data = replace(cifar("CIFAR10", (x, y), (x, y)), sides=(32, 32))
    seen = []

    def to_input(stored):
        seen.append(stored.clone())
        return stored.float() / 255

    config = parse({"task": "cifar10", "model": "mlp", "num-workers": 2, "num-byzantine": 0,
                    "batch-size": 8, "device": "cpu", "attack": "none"})  # fmt: skip
    problem = Classification(config.workload, replace(data, to_input=to_input), 10)
    trigger = build("backdoor").trigger
    parameters = problem.initial().numpy()
    problem.gradient(parameters, 0, 1)
    clean = seen[-1]
    problem.gradient(parameters, 0, 1, lambda b: Batch(b.labels, trigger.stamp(b.images)))
    stamped = seen[-1]
    assert (stamped[:, :, 29:, 29:] == 255).all() and clean.max() < 200
    stamped[:, :, 29:, 29:] = clean[:, :, 29:, 29:]
    assert torch.equal(stamped, clean)
    assert not any(torch.equal(image, each) for image in clean[:2] for each in x)  # drawn changes


@pytest.mark.parametrize("name, sides", [("digits", (8, 8)), ("mnist", (28, 28)),
                                         ("fashion-mnist", (28, 28)), ("cifar10", (32, 32)),
                                         ("cifar100", (32, 32)), ("ag-news", None)])  # fmt: skip
def test_which_tasks_have_images(name, sides):
    assert TASKS[name].sides == sides


def test_digits_tell_their_sides(digits):
    assert digits.sides == (8, 8)


OWN = """
import torch
from signfed import Dataset
def load(data_dir, download):
    x, y = torch.rand(40, 12), torch.arange(40) % 2
    return Dataset(x, y, x, y, sides={sides})
"""


@pytest.mark.parametrize("sides, fine", [
    ("None", True), ("(3, 4)", True), ("(2, 3)", True), ("(5, 5)", False), ("(3,)", False),
    ("[3, 4]", False), ("(3.0, 4)", False), ("(0, 4)", False),
])  # fmt: skip
def test_the_sides_of_ones_own_images_are_checked(sides, fine, monkeypatch, tmp_path):
    (tmp_path / "data_with_sides.py").write_text(OWN.format(sides=sides))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "data_with_sides", raising=False)
    if fine:
        assert own_data("data_with_sides:load", tmp_path, False).sides == eval(sides)
        return
    with pytest.raises(ConfigError, match=r"sides: expected None, or .* divides the 12 values"):
        own_data("data_with_sides:load", tmp_path, False)


def test_a_trigger_object_is_used_once_for_all_rounds(digits):
    """The test images are stamped at the first evaluation."""
    stamped = []

    def stamp(images):
        stamped.append(len(images))
        return images

    trigger = Trigger(0, stamp)
    for _ in range(3):
        digits.evaluate(digits.initial(), trigger)
    assert len(stamped) == 1
