import itertools
import sys
import textwrap

import pytest

from signfed.app.config.run_config import parse
from signfed.app.task import find_task

NUMBERS = itertools.count()

# Two classes of 64 numbers; a network with a body and a head; the parts that tests exchange.
USUAL = """
import random
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from signfed import Dataset


def load(data_dir, download, n=200, tests=60):
    g = torch.Generator().manual_seed(0)
    y = torch.arange(n + tests) % 2
    x = torch.randn(n + tests, 16, generator=g) + y[:, None]
    return Dataset(x[:n], y[:n], x[n:], y[n:])


def net(spec):
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, spec.num_classes))


def loss(scores, labels):
    return F.cross_entropy(scores, labels)
"""


@pytest.fixture
def urls_asked(monkeypatch):
    """The addresses that were asked for; there is no network."""
    asked = []

    def urlopen(request, *arguments, **options):
        asked.append(request.full_url)
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write a user's file, with what is usual before `code`; returns the keys that name it."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    names = []

    def write(code="", *, usual=USUAL):
        name = f"mine_{next(NUMBERS)}"  # another one each time: modules and problems are cached
        names.append(name)
        (folder / f"{name}.py").write_text(usual + textwrap.dedent(code), encoding="utf-8")
        return {"task": f"{name}:load", "model": f"{name}:net", "loss": f"{name}:loss"}

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def problem(mine):
    """The problem of a user's file with this code."""

    def make(code="", usual=USUAL, **given):
        keys = mine(code, usual=usual) | {"device": "cpu", "num-byzantine": 0}
        keys |= {"batch-size": 10, "num-workers": 4}
        workload = parse(keys | {k.replace("_", "-"): v for k, v in given.items()}).workload
        return find_task(workload.task).problem(workload)

    return make
