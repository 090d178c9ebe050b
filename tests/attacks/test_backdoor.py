"""The backdoor: its trigger by hand, what it makes of a batch, and what a user's own may return."""

from math import ceil

import numpy as np
import pytest

from signfed.attacks import ATTACKS, Batch, Trigger, View, attack, build
from signfed.attacks.backdoor import PLACES, stamped
from tests.attacks.inputs import IMAGES, LABELS, OWN, crafted

WHERE = {  # of a square of side 2 in an image of 5 rows and 4 columns: its first row and column
    "bottom-right": (3, 2), "bottom-left": (3, 0), "top-right": (0, 2), "top-left": (0, 0),
    "center": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize("position", PLACES)
def test_the_trigger_is_where_it_should_be(position):
    images = np.random.default_rng(0).random((3, 2, 5, 4), np.float32)
    before, (top, left) = images.copy(), WHERE[position]
    found = stamped(images, 2, position, 0.75)
    for n, channel, row, column in np.ndindex(images.shape):
        inside = top <= row < top + 2 and left <= column < left + 2
        expected = 0.75 if inside else before[n, channel, row, column]
        assert found[n, channel, row, column] == np.float32(expected)
    assert images.tobytes() == before.tobytes()


def test_every_position_is_tried():
    assert set(WHERE) == set(PLACES)


def test_a_trigger_may_cover_an_image_and_no_more():
    assert (stamped(np.zeros((4, 3)), 3, "center", 1.0) == 1).sum() == 9
    with pytest.raises(ValueError, match=r"backdoor.size: expected at most 3, .* got 4"):
        stamped(np.zeros((4, 3)), 4, "center", 1.0)


def slow(labels, images, target, size, value, share):
    """One worker's batch, image by image, in the bottom right corner."""
    labels, images = labels.copy(), images.copy()
    height, width = images.shape[-2:]
    for n in range(ceil(share * len(labels))):
        labels[n] = target
        for row in range(height - size, height):
            for column in range(width - size, width):
                images[n, :, row, column] = value
    return labels, images


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.51, 1.0])
@pytest.mark.parametrize("target, size, value", [(0, 3, 1.0), (2, 1, 0.0), (3, 5, 0.5)])
def test_the_first_of_a_batch_get_trigger_and_label(share, target, size, value):
    options = {"share": share, "target": target, "size": size, "value": value}
    batch = crafted("backdoor", LABELS, n_classes=4, images=IMAGES, boost=2.5, **options)
    for worker, (labels, images) in enumerate(zip(LABELS, IMAGES, strict=True)):
        expected = slow(labels, images, target, size, value, share)
        assert batch.labels[worker].tolist() == expected[0].tolist()
        assert batch.images[worker].tobytes() == expected[1].tobytes()
    assert batch.boost == 2.5


def test_a_share_that_is_no_float_stamps_as_many_as_it_says():
    """0.07 * 100 is 7.000...01"""
    labels, images = np.ones((1, 100), np.int64), np.zeros((1, 100, 1, 4, 4), np.float32)
    batch = crafted("backdoor", labels, n_classes=4, images=images, share=0.07)
    assert (batch.labels == 0).sum() == 7 and batch.images.any(axis=(2, 3, 4)).sum() == 7


def test_the_trigger_that_is_measured_is_the_one_that_is_trained():
    options = {"target": 3, "size": 2, "position": "top-left", "value": 0.25, "share": 1.0}
    chosen = build("backdoor", **options)
    batch = crafted("backdoor", LABELS, n_classes=4, images=IMAGES, **options)
    assert chosen.trigger.target == 3
    assert chosen.trigger.stamp(IMAGES).tobytes() == batch.images.tobytes()


def test_who_has_a_trigger():
    assert [name for name in ATTACKS if build(name).trigger] == ["backdoor"]
    varying = build("time-varying", attacks="none,backdoor", target=2)
    assert varying.trigger.target == 2 and build("time-varying").trigger is None


@pytest.mark.parametrize(
    "options, text",
    [
        ({"share": 0.0}, r"share: expected a number in \(0, 1\]; got 0.0"),
        ({"share": 1.01}, "share: .* got 1.01"),
        ({"size": 0}, "size: expected a whole number of at least 1; got 0"),
        ({"size": 6}, "backdoor.size: expected at most 5"),
        ({"value": 1.5}, r"value: expected a number in \[0, 1\]; got 1.5"),
        ({"target": -1}, "target: .* got -1"),
        ({"target": 4}, "'backdoor': expected labels from 0 to 3, got labels from 0 to 4"),
        ({"boost": 0.0}, "boost: expected a finite number above 0; got 0.0"),
        ({"boost": float("inf")}, "boost: .* got inf"),
        ({"position": "middle"}, "position: expected one of bottom-right, "),
        ({"images": None}, "attack 'backdoor' changes images: pass images"),
        ({"images": IMAGES[0]}, r"images: expected real numbers \[b, n, C, H, W\] .* \[2, 4\]"),
        ({"images": IMAGES[:, :2]}, r"with \[b, n\] = \[2, 4\], as own; got .* shape \(2, 2"),
        ({"images": "x"}, "images: expected .* got str"),
    ],
)
def test_impossible_arguments_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        crafted("backdoor", LABELS, **{"n_classes": 4, "images": IMAGES} | options)


def test_images_are_for_attacks_on_the_data():
    with pytest.raises(ValueError, match="for an attack on the data; attack 'lie' changes rows"):
        crafted("lie", OWN, OWN, images=IMAGES)
    batch = crafted("label-flip", LABELS, n_classes=4, images=IMAGES)
    assert batch.labels.tolist() == (3 - LABELS).tolist()
    assert batch.images.tobytes() == IMAGES.tobytes() and batch.boost == 1.0


def black(target):
    return Trigger(target, np.zeros_like)


@pytest.mark.parametrize(
    "returned, text",
    [
        (lambda view: Batch(view.own[:, :2]), r"whole numbers of shape \(2, 4\), as view.own"),
        (lambda view: Batch(view.own, view.images[:, :2]), r"\(2, 4, 3, 6, 5\), as view.images"),
        (lambda view: Batch(view.own, view.images > 0), "real numbers .* type bool"),
        (lambda view: Batch(view.own + 9), "expected labels from 0 to 3, got"),
        (lambda view: view.images, "whole numbers"),
    ],
)
def test_what_ones_own_returns_is_checked(returned, text):
    mine = attack(knowledge="own", stage="data", trigger=black)(
        lambda view, *, target=1: returned(view)
    )
    with pytest.raises(ValueError, match=text):
        mine.poison(View(LABELS, (), 5, n_classes=4, images=IMAGES))


def test_ones_own_backdoor_is_bound_like_ours():
    @attack(knowledge="own", stage="data", trigger=black)
    def mine(view, *, target=1, share=0.5):
        return Batch(np.full_like(view.own, target), 0 * view.images.astype(float), 3)

    bound = mine.bind(target=2)
    assert (mine.trigger.target, bound.trigger.target) == (1, 2)
    batch = bound.poison(View(LABELS, (), 5, n_classes=4, images=IMAGES))
    assert (batch.labels == 2).all() and batch.images.dtype == np.float32 and batch.boost == 3.0
    assert not batch.images.any()
