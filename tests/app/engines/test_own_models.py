"""A user's networks on a device: by which way, and that it is the loop's run, twice the same bits.

With device='cpu' the same code runs here; on a card `pytest -m gpu` runs it there.
"""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from safetensors.numpy import load_file

import signfed
from tests.federation import federate, locally, outcome

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
OWN = {
    "task": "tests.app.task.own_images:images", "loss": "tests.app.task.own_images:smoothed",
    "num-workers": 8, "num-byzantine": 2, "attack": "lie", "strategy": "multi-krum",
    "batch-size": 6, "num-rounds": 4, "evaluate-every": 4, "checkpoint-every": 2, "lr": 0.05,
}  # fmt: skip
NETWORKS = "tests.app.task.own_networks"
# Network -> the ways that a run may take where the shared pass is wanted, and a word of the reason:
# what mixes a parameter into many steps falls back.
BACK = {"vmap", "loop"}
WAYS = {
    "residual": ({"shared"}, "every parameter has a form"),
    "lstm": (BACK, "lstm"),
    "gru": (BACK, "gru"),
    "attention": (BACK, "multi_head_attention"),
}


def model_of(path):
    return load_file(path / "checkpoints" / "round-000004" / "state.safetensors")["parameters"]


def ran(path, device, **keys):
    return locally(path, **OWN, device=device, **keys)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", WAYS)
def test_a_run_says_which_way_it_takes_and_why(name, device, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "signfed"):
        ran(tmp_path / "run", device, model=f"{NETWORKS}:{name}", gradients="shared")
    said = json.loads((tmp_path / "run" / "config.json").read_text())["gradients"]
    ways, because = WAYS[name]
    assert said["way"] in ways and because in said["because"], said
    logged = [r.getMessage() for r in caplog.records if r.getMessage().startswith("gradients")]
    assert f"gradients: {said['way']} ({said['because']})" in logged, logged


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", [f"{NETWORKS}:residual", "tests.app.task.own_images:network"])
def test_it_is_the_run_of_the_loop_and_twice_the_same_bits(model, device, tmp_path):
    run = ran(tmp_path / "run", device, model=model, gradients="shared")
    again = ran(tmp_path / "again", device, model=model, gradients="shared")
    loop = ran(tmp_path / "loop", device, model=model, gradients="loop")
    assert run.sha256 == again.sha256
    assert [r["accepted"] for r in run.rounds] == [r["accepted"] for r in loop.rounds]
    ours, theirs = (r.summary["final_test_accuracy"] for r in (run, loop))
    assert abs(ours - theirs) < 0.02
    found, expected = (model_of(tmp_path / name) for name in ("run", "loop"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("device", DEVICES)
def test_it_goes_on_with_the_same_bits(device, tmp_path):
    keys = {"model": f"{NETWORKS}:residual", "gradients": "shared"}
    whole = ran(tmp_path / "whole", device, **keys)
    half = OWN | {"num-rounds": 2, "evaluate-every": 2}
    locally(tmp_path / "half", **half, device=device, **keys)
    signfed.run({"num-rounds": 4, "resume": str(tmp_path / "half")})
    assert outcome(tmp_path / "half").sha256 == whole.sha256


@pytest.mark.ray
@pytest.mark.parametrize("device", DEVICES)
def test_four_nodes_of_flower(device, tmp_path):
    """On one card, a quarter of it each; every node computes its workers by the same way."""
    keys = OWN | {"model": f"{NETWORKS}:residual", "device": device}

    def by_ray(name):
        share = 0.25 if device == "cuda" else 0.0
        given = keys | {"out-dir": str(tmp_path / name)}
        signfed.run(given, engine="flower", supernodes=4, gpus_per_client=share)
        return outcome(tmp_path / name)

    run = by_ray("run")
    assert run.summary["status"] == "finished"
    assert [r["received"] for r in run.rounds] == [8] * 4
    same = by_ray("again") if device == "cuda" else federate(tmp_path / "same", nodes=4, **keys)
    assert run.sha256 == same.sha256
