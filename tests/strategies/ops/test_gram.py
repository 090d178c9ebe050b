import numpy as np
import pytest
import torch

from signfed.strategies.ops import gram
from signfed.strategies.ops.gram import (
    centred_gram,
    inner_products,
    squared_distances,
)
from tests.strategies.ops.samples import SIZES


def rows_of(n, n_columns, spread=1.0):
    random = np.random.default_rng([n, n_columns])
    values = random.standard_normal(n_columns) + spread * random.standard_normal((n, n_columns))
    return torch.from_numpy(values.astype(np.float32))


def accurate(found, rows):
    """Compared with the distances pair by pair, in float64."""
    exact = torch.stack([(rows.double() - row.double()).square().sum(dim=1) for row in rows])
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=0.0)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("n", [1, 2, 15, 33, 64])
def test_inner_products(n):
    for n_columns in SIZES:
        rows = rows_of(n, n_columns)
        before, exact = rows.clone(), rows.double()
        for centre in (None, rows[0]):
            product = centred_gram(rows, centre)
            centred = exact - (exact.mean(dim=0) if centre is None else centre)
            torch.testing.assert_close(product, centred @ centred.T, rtol=1e-12, atol=1e-12)
            assert torch.equal(product, product.T)
        plain = inner_products(rows)
        torch.testing.assert_close(plain, exact @ exact.T, rtol=1e-12, atol=1e-12)
        assert torch.equal(plain, plain.T)
        assert torch.equal(rows, before)


@pytest.mark.parametrize("n", [1, 2, 15, 64])
@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6, 0.0])
def test_distances(n, spread):
    for n_columns in SIZES:
        rows = rows_of(n, n_columns, spread)
        accurate(squared_distances(rows), rows)


@pytest.mark.parametrize("far", [1.0, 1e5, 1e30])
def test_distances_of_near_duplicates(far):
    """Two rows one bit apart, three alike, all beside an outlier: still ten digits each."""
    rows = rows_of(12, 5000)
    rows[4] = rows[3]
    rows[4, 0] = torch.nextafter(rows[3, 0], torch.tensor(9.0))
    rows[5:8] = rows[5] + 1e-4 * rows_of(3, 5000)
    rows[9:] = rows[9]
    rows[0] *= far
    found = squared_distances(rows)
    accurate(found, rows)
    assert found[9, 11] == 0.0 < found[3, 4] < 1e-12


def test_on_an_accelerator_it_is_the_same(monkeypatch):
    """Its way, taken on the CPU; 140,000 columns are three pieces."""
    rows = rows_of(5, 140_000)
    expected = [inner_products(rows), centred_gram(rows), centred_gram(rows, rows[0])]
    monkeypatch.setattr(gram, "_on_cpu", gram._on_device)
    found = [inner_products(rows), centred_gram(rows), centred_gram(rows, rows[0])]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-9)


def test_chunks_fit_together(monkeypatch):
    monkeypatch.setattr(gram, "CHUNK", 0)  # 1,024 columns at a time
    rows = rows_of(6, 3000)
    accurate(squared_distances(rows), rows)
    centred = rows.double() - rows.double().mean(dim=0)
    torch.testing.assert_close(centred_gram(rows), centred @ centred.T, rtol=1e-12, atol=1e-12)


def test_large_values_do_not_overflow():
    assert squared_distances(rows_of(4, 100) * 1e37).isfinite().all()
