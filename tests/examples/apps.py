"""An example app in this process, as it stands or with other lines in it."""

from __future__ import annotations

import importlib
import random
import shutil
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from flwr.app import Context, RecordDict
from flwr.serverapp.strategy import Result, Strategy

from tests.grid import InProcessGrid

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"

# (file, a line or more of it, what stands there instead)
Edit = tuple[str, str, str]


def package_of(example: str) -> str:
    return example.replace("-", "_")


def edited(example: str, folder: Path, edits: Iterable[Edit] = ()) -> Path:
    """A copy of an example below `folder`, with these edits; each fits at one place."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in edits:
        file = copy / package_of(example) / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        file.write_text(text.replace(old, new), encoding="utf-8")
    return copy


def play(app: Path, nodes: int, **config: object) -> Result:
    """Run a Flower app on the in-process Grid; returns what its `strategy.start` returned.

    `num_server_rounds=2` stands for the key num-server-rounds.
    """
    declared = tomllib.loads((app / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    given = {name.replace("_", "-"): value for name, value in config.items()}
    assert set(given) <= set(declared["config"])
    run_config = declared["config"] | given
    results: list[Result] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(app))
        components = declared["components"]
        client, server = (_loaded(components[name]) for name in ("clientapp", "serverapp"))
        for kind in _with_start(Strategy):
            patch.setattr(kind, "start", _kept(kind.__dict__["start"], results))
        random.seed(0)  # Flower draws the order of the nodes from it
        torch.manual_seed(0)
        server(
            InProcessGrid(client, nodes, run_config), Context(1, 1, {}, RecordDict(), run_config)
        )
    for name in [name for name in sys.modules if name.split(".")[0] == package_of(app.name)]:
        del sys.modules[name]
    return results[-1]


def _loaded(component: str) -> object:
    module, _, name = component.partition(":")
    return getattr(importlib.import_module(module), name)


def _with_start(kind: type) -> list[type]:
    found = [each for below in kind.__subclasses__() for each in _with_start(below)]
    return [kind, *found] if "start" in kind.__dict__ else found


def _kept(start: object, results: list[Result]) -> object:
    def kept(*args: object, **kwargs: object) -> Result:
        results.append(start(*args, **kwargs))  # type: ignore[operator]
        return results[-1]

    return kept


def scores(result: Result) -> Mapping[int, Mapping[str, float]]:
    """What the server's own evaluation said, by round."""
    return result.evaluate_metrics_serverapp
