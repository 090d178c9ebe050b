"""Hybrid sparse: which weights are attacked hard, and how hard."""

import numpy as np
import pytest

from signfed.attacks import Past
from signfed.attacks.hybrid_sparse import sensitive
from signfed.attacks.lie import largest_z
from tests.attacks.inputs import crafted, matrix, past_of, randn

HONEST = matrix([1, 0, 4, 1], [3, 2, 4, 3])  # mu = (2, 1, 4, 2), s = (1.41, 1.41, 0, 1.41)
OWN = matrix([9, 9, 9, 9])
R2 = 2**0.5


def test_by_hand():
    """|x mu| = 2, 3, 0, 2: the second is the most sensitive, then the first of two alike."""
    past = lambda: Past.first(matrix(1, -3, 0, 1))  # noqa: E731
    options = {"scale": 10.0, "z": 1.0}
    sent = crafted("hybrid-sparse", OWN, HONEST, past=past(), share=0.25, **options)
    assert sent[0] == pytest.approx([2 - R2, 1 - 10 * R2, 4, 2 - R2], rel=1e-6)
    sent = crafted("hybrid-sparse", OWN, HONEST, past=past(), share=0.5, **options)
    assert sent[0] == pytest.approx([2 - 10 * R2, 1 - 10 * R2, 4, 2 - R2], rel=1e-6)


def test_the_weights_are_chosen_once():
    first, later = Past.first(matrix(1, -3, 0, 1)), matrix(9, 0, 0, 0)
    crafted("hybrid-sparse", OWN, HONEST, past=first, share=0.25)
    past = Past(later, later, first.memory)
    sent = crafted("hybrid-sparse", OWN, HONEST, past=past, share=0.25, scale=10.0, z=0.0)
    assert sent[0] == pytest.approx([2, 1 - 10 * R2, 4, 2], rel=1e-6)


def test_sensitive_is_what_the_loss_feels_most():
    """Of a quadratic, to first order; the largest 3 of 10."""
    x, g = randn(2, 10, seed=1)
    felt = np.abs(x * g)
    assert np.array_equal(sensitive(x, g, 0.3), felt >= np.sort(felt)[-3])
    assert not sensitive(x, g, 0.0).any() and sensitive(x, g, 1.0).all()


def test_z_is_that_of_lie_where_asked():
    past, z = past_of(4), largest_z(7, 1)
    sent = crafted("hybrid-sparse", OWN, HONEST, past=past, n_total=7, share=0.0, z_max=True)
    assert sent[0] == pytest.approx([2 - z * R2, 1 - z * R2, 4, 2 - z * R2], rel=1e-6)


def test_a_row_is_nearly_as_long_as_the_honest_are():
    """What is far away is 1 in 200: a filter of norms at three times the median lets it pass."""
    honest = randn(9, 2000, seed=3)
    sent = crafted("hybrid-sparse", honest[:2], honest, past=past_of(2000), scale=20.0)[0]
    norms = np.linalg.norm(honest, axis=1)
    assert 0.3 < np.linalg.norm(sent) / np.median(norms) < 3.0
    assert np.abs(sent).max() > 3.0 * np.abs(honest).max()


@pytest.mark.parametrize(
    "options, text",
    [
        ({"share": 1.5}, r"share: expected a number in \[0, 1\]"),
        ({"scale": -1.0}, "scale: expected a finite number of at least 0"),
        ({"z": float("inf")}, "z: expected a finite number of at least 0"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        crafted("hybrid-sparse", past=past_of(4), **options)
