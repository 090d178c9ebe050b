"""What is drawn ahead is what would have been drawn."""

import numpy as np
import pytest

from benchmarks.gpu.cases import Case, Kept


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
