"""Spambase from a table in its real form, of drawn numbers."""

import numpy as np
import pytest
import torch

from signfed.app.task import TASKS, DataMissing
from signfed.app.task.datasets import spambase


def table():
    draws = np.random.default_rng(0)
    labels = np.arange(spambase.ROWS) < spambase.SPAM
    features = draws.integers(0, 1000, (spambase.ROWS, 57)) / 100 + 3 * labels[:, None]
    return np.column_stack([features, labels])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("data")
    (made / "spambase").mkdir()
    np.savetxt(made / "spambase" / "spambase.data", table(), "%g", ",", newline="\r\n")
    return made


def load(folder):
    return TASKS["spambase"].load(folder, False)


def test_every_row_is_there_with_its_class_and_the_training_rows_have_deviation_1(folder):
    data, again = load(folder), load(folder)
    assert torch.equal(data.train_x, again.train_x) and torch.equal(data.test_y, again.test_y)
    assert data.train_x.shape == (3680, 57) and data.test_x.shape == (921, 57)
    assert data.train_x.dtype == torch.float32 and data.train_y.dtype == torch.int64
    assert data.train_x.mean(dim=0).abs().max() < 1e-5
    assert (data.train_x.std(dim=0, correction=0) - 1).abs().max() < 1e-5
    labels = torch.cat([data.train_y, data.test_y])
    assert labels.sum() == spambase.SPAM and 0.35 < data.test_y.float().mean() < 0.45
    # A spam row's features are 3 larger: rows kept their classes, whatever their order is now.
    x = torch.cat([data.train_x, data.test_x]).double()
    expected = table()[:, :-1]
    apart = expected[: spambase.SPAM].mean() - expected[spambase.SPAM :].mean()
    found = x[labels == 1].mean() - x[labels == 0].mean()
    assert found == pytest.approx(apart / expected.std(axis=0).mean(), rel=0.02)


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path):
    text = r"expected Spambase as .*spambase/spambase.data, and it is not there; .*archive.ics"
    with pytest.raises(DataMissing, match=text):
        load(tmp_path)


@pytest.mark.parametrize("content", ["1,2\n", "word,1\n", "", "0," * 57 + "1\n"])
def test_another_table_is_refused(content, tmp_path):
    (tmp_path / "spambase").mkdir()
    (tmp_path / "spambase" / "spambase.data").write_text(content)
    with pytest.raises(DataMissing, match=r"cannot read Spambase in .*spambase.data, remove it"):
        load(tmp_path)
