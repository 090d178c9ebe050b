"""Relocated orthogonal perturbation."""

import numpy as np
import pytest
import torch

from signfed.attacks import Past
from signfed.attacks.rop import at_an_angle
from signfed.strategies.centered_clipping import clipped_step
from tests.attacks.inputs import crafted, matrix, past_of, randn


@pytest.mark.parametrize("angle", [0.0, 45.0, 90.0, 180.0, 270.0])
def test_the_perturbation_is_as_long_and_at_the_angle_as_asked(angle):
    honest, past = randn(4, 50, seed=1), past_of(50)
    u = 0.9 * past.direction.astype(float) + 0.1 * honest.mean(axis=0)
    p = crafted("rop", honest[:1], honest, past=past, size=2.0, angle=angle)[0] - past.direction
    assert np.linalg.norm(p) == pytest.approx(2.0 * np.linalg.norm(u), rel=1e-5)
    cosine = p @ u / (np.linalg.norm(p) * np.linalg.norm(u))
    assert cosine == pytest.approx(np.cos(np.radians(angle)), abs=1e-5)


def test_90_and_270_degrees_are_opposite_and_push_every_coordinate_alike():
    u = np.array([1.0, -1.0, 1.0, -1.0])  # at a right angle to (1, 1, 1, 1)
    assert at_an_angle(u, 90.0) == pytest.approx(np.full(4, 0.5))
    assert at_an_angle(u, 270.0) == pytest.approx(np.full(4, -0.5))


def test_what_has_no_direction_adds_nothing():
    assert at_an_angle(np.zeros(3), 90.0) == pytest.approx(np.full(3, 3**-0.5))
    assert not at_an_angle(np.zeros(3), 0.0).any()
    assert at_an_angle(np.full(3, 2.0), 90.0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert at_an_angle(np.full(3, 2.0), 180.0) == pytest.approx(np.full(3, -(3**-0.5)))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_at_first_the_honest_mean_takes_the_place_of_the_last_direction(bad):
    honest = matrix([2, 0], [4, 0])
    past = Past(np.zeros(2, np.float32), np.full(2, bad, np.float32))
    sent = crafted("rop", honest[:1], honest, past=past, angle=90.0)
    assert sent == pytest.approx(matrix([3, 3]))


def test_centered_clipping_lets_it_pass_whole():
    """Its pull around the last direction is not clipped; that of a reversed gradient is halved."""
    honest = 1.0 + 0.1 * randn(4, 100, seed=2)
    last = honest.mean(axis=0)
    radius = float(np.linalg.norm(last)) * 1.001
    past = Past(np.zeros(100, np.float32), last)

    def pull(row):
        rows = torch.from_numpy(np.concatenate([honest, row[None]]))
        step = clipped_step(rows, torch.from_numpy(last), radius).numpy()
        return np.linalg.norm(step - last) / (np.linalg.norm(row - last) / 5)

    assert pull(crafted("rop", honest[:1], honest, past=past)[0]) == pytest.approx(1.0, abs=0.01)
    assert pull(-last) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"size": -1.0}, "size: expected a finite number of at least 0"),
        ({"angle": 361.0}, r"angle: expected a number in \[0, 360\]"),
        ({"relocation": 1.1}, r"relocation: expected a number in \[0, 1\]"),
        ({"reference": -0.1}, r"reference: expected a number in \[0, 1\]"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        crafted("rop", past=past_of(4), **options)
