"""Recorded runs end with the same model, to the last bit, in both engines.

A configuration names its rule, attack, encoder, partition; golden_models.json holds what the run's
model was when it was recorded. A change that moves one of them is a change of results: it needs a
reason in CHANGELOG.md, and the file is written anew by `python -m tests.test_golden_models`.

Float sums differ between processors and versions of PyTorch. So the file also holds what the
recording machine made of a gradient that no code of ours has a part in; where this machine makes
another one, only votes on the quadratic are compared: their directions are +1 and -1, and a step
along them is rounded alike by all; docs/simulation.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from signfed.app.client_app import app as client_app
from signfed.app.config.knowledge import built
from signfed.app.config.run_config import parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.runs.folder import read_summary
from signfed.app.server_app import run
from signfed.app.task import find_task
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.registry import STRATEGIES
from tests.grid import InProcessGrid

FILE = Path(__file__).with_name("golden_models.json")
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


def sha256_of(*arrays):
    flat = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays]
    return hashlib.sha256(b"".join(flat)).hexdigest()


def gradient_sha256():
    """Of worker 0's first gradient on digits."""
    problem = find_task("digits").problem(parse({"device": "cpu"}).workload)
    return sha256_of(problem.gradient(problem.initial().numpy(), 0, 1))


def sixteenths(modulus, *shape):
    """Numbers from -2 to 2, exact in float32, without a period that would make a sum exact."""
    numbers = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
    return numbers.square().remainder(modulus) / 16 - 2


def machine_sha256():
    """Of the gradient of a network of the same shapes in plain torch: sums of a machine's own."""
    weights = sixteenths(61, 64, 128).requires_grad_(), sixteenths(59, 128, 10).requires_grad_()
    with one_thread():
        scores = torch.relu(sixteenths(53, 64, 64) / 3 @ weights[0]) @ weights[1] / 100
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(64) % 10)
        gradients = torch.autograd.grad(loss, weights)
    return sha256_of(*(gradient.numpy() for gradient in gradients))


VOTES = ("sign-mv", "sign-fd", "reputation-mv")  # integers alone decide a direction


def is_same_everywhere(config):
    return config.get("task") == "quadratic" and config["strategy"] in VOTES


@pytest.fixture(scope="module")
def same_floats():
    return machine_sha256() == GOLDEN["machine_sha256"]


def test_the_first_gradient_is_the_recorded_one(same_floats):
    """Batches, shards, samples, initial weights, loss: all that a network's runs begin with."""
    if not same_floats:
        pytest.skip("this machine rounds sums of floats otherwise than the recording one")
    assert gradient_sha256() == GOLDEN["gradient_sha256"]


def model_of(config, folder):
    """The run's model, alike in both engines; of an attack that asks the rule, in the local one."""
    given = {"device": "cpu"} | config
    local, flower = (given | {"out-dir": str(folder / name)} for name in ("local", "flower"))
    execute(prepare(local), local_engine)
    here = read_summary(folder / "local")["model_sha256"]
    if not built(parse(given).attack).rule:
        run(InProcessGrid(client_app, 2, flower), flower)
        assert here == read_summary(folder / "flower")["model_sha256"]
    return here


@pytest.mark.parametrize("name", GOLDEN["runs"])
def test_the_model_is_the_recorded_one(name, same_floats, tmp_path):
    recorded = GOLDEN["runs"][name]
    if not same_floats and not is_same_everywhere(recorded["config"]):
        pytest.skip("this machine rounds sums of floats otherwise than the recording one")
    assert model_of(recorded["config"], tmp_path) == recorded["model_sha256"]


OTHER_VECTORS = {
    "ATEN_CPU_CAPABILITY": "default",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
}
VOTE = """
import sys
from pathlib import Path
from tests.test_golden_models import GOLDEN, is_same_everywhere, model_of

for name, recorded in GOLDEN["runs"].items():
    if is_same_everywhere(recorded["config"]):
        folder = Path(sys.argv[1]) / name.replace(" ", "-")
        assert model_of(recorded["config"], folder) == recorded["model_sha256"], name
        print(name)
"""


def test_votes_are_the_same_on_a_machine_with_other_vector_instructions(tmp_path):
    command = [sys.executable, "-c", VOTE, str(tmp_path)]
    done = subprocess.run(
        command, cwd=FILE.parents[1], env=os.environ | OTHER_VECTORS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len(VOTES)


def test_the_recorded_models_differ_from_one_another():
    """Rules swapped, an attack without effect or an option that is ignored would be seen."""
    models = [each["model_sha256"] for each in GOLDEN["runs"].values()]
    assert len(set(models)) == len(models) >= 20


def test_every_rule_is_recorded():
    assert not unrecorded(), "python -m tests.test_golden_models"


def unrecorded():
    """Runs that a new rule needs."""
    small = {"num-rounds": 6, "evaluate-every": 3, "num-byzantine": 3}
    asked = {f"rule {name}": {"config": {**small, "strategy": name}} for name in STRATEGIES}
    return {name: run for name, run in asked.items() if name not in GOLDEN["runs"]}


def write():
    GOLDEN["runs"].update(unrecorded())
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        for name, recorded in GOLDEN["runs"].items():
            recorded["model_sha256"] = model_of(
                recorded["config"], Path(folder) / name.replace(" ", "-")
            )
    lines = [
        f"  {json.dumps(name)}: {json.dumps(recorded)}" for name, recorded in GOLDEN["runs"].items()
    ]
    FILE.write_text(
        f'{{\n "machine_sha256": "{machine_sha256()}",\n'
        f' "gradient_sha256": "{gradient_sha256()}",\n "runs": {{\n'
        + ",\n".join(lines) + "\n }\n}\n",
        encoding="utf-8",
    )  # fmt: skip


if __name__ == "__main__":
    write()
