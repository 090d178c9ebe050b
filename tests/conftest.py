"""One thread for each process of the tests, and no GPU but in tests that are marked `gpu`.

With as many threads as there are cores, they wait for one another wherever something else runs.
Tests that start other processes leave them their threads. `device=auto` would take a GPU, where
results are not the CPU's: `pytest -m gpu` runs the tests that want one.
"""

import os

import pytest

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

for _name in THREADS:
    os.environ.setdefault(_name, "1")


def wants_gpu(config):
    expression = config.getoption("markexpr") or ""
    return "gpu" in expression and "not gpu" not in expression


def pytest_configure(config):
    if not wants_gpu(config):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config, items):
    if not wants_gpu(config):
        skip = pytest.mark.skip(reason="wants a GPU: pytest -m gpu")
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(skip)
