"""Crops, flips and rotations beside the same done plainly, and beside torchvision's rotation."""

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import rotate

from signfed.app.task import CropFlipRotate

DRAWS = np.random.default_rng(0)
IMAGES = torch.from_numpy(DRAWS.integers(1, 256, (6, 3, 9, 7), dtype=np.uint8))


def drawn(*rows):
    """(down, right, flip, degrees) of each image."""
    return torch.tensor([
        [down, right, flip, np.cos(np.radians(d)), np.sin(np.radians(d))]
        for down, right, flip, d in rows
    ], dtype=torch.float64)  # fmt: skip


def cropped(image, down, right, padding=4):
    """The window of the padded image that starts `down` and `right` of the image itself."""
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    return padded[:, padding + down :, padding + right :][:, :height, :width]


@pytest.mark.parametrize("down, right", [(0, 0), (2, -3), (-4, 4), (4, 4), (1, 0)])
@pytest.mark.parametrize("flip", [1, -1])
def test_a_crop_is_a_window_of_the_padded_image_and_a_flip_mirrors_it(down, right, flip):
    image = IMAGES[:1]
    found = CropFlipRotate()(image, drawn((down, right, flip, 0)))
    expected = cropped(image[0].numpy(), down, right)[:, :, ::flip]
    assert found.dtype == torch.uint8 and np.array_equal(found[0], expected)


@pytest.mark.parametrize("degrees", [-15, -4, 3, 10, 15, 40, 90])
@pytest.mark.parametrize("down, right", [(0, 0), (4, -4)])
def test_a_rotation_is_torchvisions_of_what_was_cropped(degrees, down, right):
    """Nearest pixels, black beyond the frame; between two it may go either way."""
    images = torch.from_numpy(DRAWS.integers(1, 256, (2, 3, 32, 32), dtype=np.uint8))
    found = CropFlipRotate()(images, drawn(*[(down, right, 1, degrees)] * 2))
    plain = torch.stack([torch.from_numpy(cropped(x.numpy(), down, right)) for x in images])
    expected, other = rotate(plain, float(degrees)), rotate(plain, -float(degrees))
    assert (found == expected).float().mean() > 0.98 > (found == other).float().mean()


def test_all_three_together_come_in_that_order():
    """Crop, then flip, then rotate: a quarter turn, so that no pixel lies between two."""
    image = IMAGES[:1, :, :7, :7]
    found = CropFlipRotate()(image, drawn((1, -2, -1, 90)))
    plain = cropped(image[0].numpy(), 1, -2)[:, :, ::-1]
    assert np.array_equal(found[0], np.rot90(plain, axes=(1, 2)))


def test_many_images_in_a_call_are_each_changed_as_if_alone():
    augment = CropFlipRotate(degrees=15.0)
    changes = torch.from_numpy(augment.draw(np.random.default_rng(3), 6))
    before = IMAGES.clone()
    together = augment(IMAGES, changes)
    for i in range(6):
        assert torch.equal(together[i : i + 1], augment(IMAGES[i : i + 1], changes[i : i + 1]))
    assert torch.equal(IMAGES, before)


def test_what_is_drawn_is_within_its_ranges_and_evenly_spread():
    rows = CropFlipRotate(padding=4, degrees=15.0).draw(np.random.default_rng(0), 20_000)
    assert rows.shape == (20_000, 5)
    for column in (0, 1):
        counts = np.bincount(rows[:, column].astype(int) + 4, minlength=9)
        assert len(counts) == 9 and np.abs(counts / 20_000 - 1 / 9).max() < 0.01
    assert set(rows[:, 2]) == {-1, 1} and abs(rows[:, 2].mean()) < 0.03
    angles = np.degrees(np.arctan2(rows[:, 4], rows[:, 3]))
    assert abs(angles).max() <= 15 and np.allclose(
        np.percentile(angles, [0, 50, 100]), [-15, 0, 15], atol=0.5
    )
    assert (CropFlipRotate().draw(np.random.default_rng(0), 50)[:, 3:] == [1, 0]).all()
