"""One thread for each process of the tests, and no GPU but in tests that are marked `gpu`.

With as many threads as there are cores, they wait for one another wherever something else runs.
Tests that start other processes leave them their threads. `device=auto` would take a GPU, where
results are not the CPU's: `pytest -m gpu` runs the tests that want one.
"""

import os

import pytest
from hypothesis import settings

from tests.waiting import GUARD

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

for _name in THREADS:
    os.environ.setdefault(_name, "1")


# The same examples in every run, however long one takes.
settings.register_profile("signfed", derandomize=True, deadline=None)
settings.load_profile("signfed")

# What tests start may take its time. Processes that they start keep the product's patience.
PATIENCE = (
    "signfed.app.experiments.processes.PATIENCE",
    "signfed.app.federation.trial.PATIENCE",
    "signfed.app.flower.guard.SAVE_TIME",
    "signfed.app.flower.local_flower.START_TIMEOUT",
    "signfed.app.tournament.host.STARTING",
)


@pytest.fixture(autouse=True, scope="session")
def patient():
    with pytest.MonkeyPatch.context() as patch:
        for name in PATIENCE:
            patch.setattr(name, GUARD)
        yield


# What runs only when it is asked for, and what it wants.
ASKED_FOR = {"gpu": "a GPU", "machines": "root, and minutes"}


def wants(config, mark):
    expression = config.getoption("markexpr") or ""
    return mark in expression and f"not {mark}" not in expression


def pytest_configure(config):
    if not wants(config, "gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config, items):
    for mark, what in ASKED_FOR.items():
        if wants(config, mark):
            continue
        skip = pytest.mark.skip(reason=f"wants {what}: pytest -m {mark}")
        for item in items:
            if item.get_closest_marker(mark):
                item.add_marker(skip)
