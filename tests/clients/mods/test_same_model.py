"""Our own clients and the mods bring the same model, to the last bit, for the same gradients."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from flwr.clientapp import ClientApp

import signfed
from signfed.app.config.run_config import parse
from signfed.app.task import find_task
from signfed.strategies.registry import STRATEGIES
from tests.federation import federate
from tests.grid import InProcessGrid
from tests.strategies.server.drop_in.app import client

KEYS = {"num_workers": 5, "num_byzantine": 0, "attack": "none", "num_rounds": 4}


@pytest.fixture(scope="module")
def digits():
    config = parse({name.replace("_", "-"): value for name, value in KEYS.items()})
    return find_task("digits").problem(config.workload)


def stepping(digits, mods) -> ClientApp:
    """Somebody's client whose step is the sign of the gradient, so that x - y has its signs."""

    def train(arrays, partition, server_round):
        x = np.concatenate([arrays[name].ravel() for name in ("front", "back")])
        gradient = digits.gradient(x, partition, server_round)
        y = x - np.where(gradient >= 0, np.float32(1), np.float32(-1))
        return {"front": y[:5000].reshape(50, 100), "back": y[5000:]}

    return client(train, mods)


@pytest.mark.parametrize("mods", [[], [signfed.one_bit], [signfed.one_bit_both]])
@pytest.mark.parametrize("rule", ["sign-mv", "sign-fd"])
def test_the_sha256_is_that_of_our_own_clients(rule, mods, digits, tmp_path):
    own = federate(tmp_path / "own", nodes=5, strategy=rule, lr=0.001, **KEYS)
    options = {"estimator": "alg1", "initial_rounds": 3} if rule == "sign-fd" else {}
    strategy = STRATEGIES[rule](**options, fraction_evaluate=0.0)
    x = digits.initial().numpy()
    arrays = ArrayRecord({"front": Array(x[:5000].reshape(50, 100)), "back": Array(x[5000:])})
    nodes = InProcessGrid(stepping(digits, mods), 5)
    strategy.start(nodes, arrays, 4, run_dir=tmp_path / "theirs")
    summary = json.loads((tmp_path / "theirs" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["model_sha256"] == own.sha256


def test_mods_that_keep_no_model_load_no_torch():
    code = """
import sys
sys.modules["torch"] = None
from flwr.clientapp import ClientApp
import signfed
app = ClientApp(mods=[signfed.one_bit, signfed.byzantine("sign-inversion")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
