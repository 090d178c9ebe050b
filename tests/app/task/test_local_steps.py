"""Several steps of SGD between two messages, beside a loop that is written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.task import TASKS, Gradients, Spec, build, flatten
from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.local_steps import LocalSteps, local_change
from signfed.app.task.models.pure import Dropout
from signfed.strategies.core.seeds import generator
from tests.federation import federate, locally

CPU = torch.device("cpu")


def slowly(model, x, y, parameters, batches, lr):
    """x_0 - x_k of the definition, with a fresh SGD and a fresh model: float64 [N]."""
    model = build("mlp", Spec((8,), 3), 0).double()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(parameters).double(), model.parameters())
    descent = torch.optim.SGD(model.parameters(), lr)
    for batch in batches:
        descent.zero_grad()
        cross_entropy(model(x[batch].double()), y[batch]).backward()
        descent.step()
    return parameters - flatten(model).numpy()


@pytest.fixture
def data():
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 8, generator=draws), torch.arange(60) % 3
    return Dataset(x, y, x[:5], y[:5])


def gradients_of(data, local, batch_size=7):
    model, shards = build("mlp", Spec((8,), 3), 0), np.arange(60).reshape(3, 20)
    return Gradients(model, data, shards, batch_size=batch_size, seed=4, device=CPU, local=local)


@pytest.mark.parametrize("count, lr", [(1, 0.5), (2, 0.5), (5, 0.2)])
def test_the_definition_written_out(data, count, lr):
    gradients = gradients_of(data, LocalSteps(count, lr))
    parameters = flatten(gradients.model).numpy()
    shard = np.arange(60).reshape(3, 20)[1]
    batches = [  # of worker 1 in round 9; the first step draws what a single one draws
        shard[generator(4, "batch", 1, 9, *([step] if step else [])).choice(20, 7, replace=False)]
        for step in range(count)
    ]
    assert len({tuple(sorted(batch)) for batch in batches}) == count
    expected = slowly(gradients.model, data.train_x, data.train_y, parameters, batches, lr) / lr
    found = gradients(parameters, 1, 9)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)
    assert np.array_equal(found, gradients(parameters.copy(), 1, 9))


def test_one_step_is_the_gradient_whatever_its_length(data):
    plain = gradients_of(data, LocalSteps())
    parameters = flatten(plain.model).numpy()
    expected = plain(parameters, 2, 3)
    for lr in (1e-9, 7.0):
        assert np.array_equal(gradients_of(data, LocalSteps(1, lr))(parameters, 2, 3), expected)
    assert not np.array_equal(gradients_of(data, LocalSteps(2))(parameters, 2, 3), expected)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_quadratic_in_closed_form(count):
    """With gradients x, x_k = (1 - eta)^k x, and the change is (1 - (1 - eta)^k) / eta of x."""
    x, lr = np.float64([3.0, -2.0]), 0.25
    found = local_change(lambda at, step: at, x, LocalSteps(count, lr))
    np.testing.assert_allclose(found, (1 - (1 - lr) ** count) / lr * x, rtol=1e-12)
    assert x.tolist() == [3.0, -2.0]
    # Torch takes the same steps, to the last bit.
    x32 = np.float32([0.3, -0.7])
    ours = local_change(lambda at, step: at * 3, x32, LocalSteps(count, lr))
    theirs = local_change(lambda at, step: at * 3, torch.tensor(x32), LocalSteps(count, lr))
    assert np.array_equal(ours, theirs.numpy())


def test_what_is_dropped_is_drawn_anew_at_each_step(data):
    model = torch.nn.Sequential(torch.nn.Linear(8, 9), Dropout(0.5), torch.nn.Linear(9, 3))
    shards = np.arange(60).reshape(3, 20)
    gradients = Gradients(model, data, shards, batch_size=7, seed=4, device=CPU)
    drawn = [gradients.masks(0, 1, *step)[0] for step in ((), (), (1,), (2,))]
    assert np.array_equal(drawn[0], drawn[1])
    assert len({mask.tobytes() for mask in drawn}) == 3


def test_in_one_call_for_all_workers_they_are_those_of_the_loop():
    problem = TASKS["digits"].problem(parse({"local-steps": 3, "local-lr": 0.3}).workload)
    batched, parameters = problem.batched(lambda t: range(15)), problem.initial().numpy()
    assert batched is not None, "vmap gives other bits on this machine"
    loop = np.stack([problem.gradient(parameters, worker, 4) for worker in range(15)])
    assert np.array_equal(batched(parameters, range(15), 4).numpy(), loop)


def test_a_boost_multiplies_the_change_and_not_each_step(data):
    """An attack on the data wants its whole change larger, not another place to go to."""
    gradients = gradients_of(data, LocalSteps(3))
    parameters = flatten(gradients.model).numpy()
    plain, boosted = (
        gradients(parameters, 0, 1, lambda batch, boost=boost: replace(batch, boost=boost))
        for boost in (1.0, 4.0)
    )
    assert np.array_equal(boosted, 4 * plain)
    assert np.array_equal(plain, gradients(parameters, 0, 1))


@pytest.mark.parametrize(
    "keys",
    [
        {"strategy": "sign-mv", "local_steps": 3},
        {"strategy": "mean", "attack": "lie", "local_steps": 2, "worker_momentum": 0.0},
        {"strategy": "sign-mv", "attack": "label-flip", "local_steps": 2},
        {"strategy": "mean", "task": "quadratic", "local_steps": 4, "worker_momentum": 0.5},
    ],
)
def test_both_engines_take_the_same_steps(keys, tmp_path):
    keys = {"num_byzantine": 2, "num_rounds": 3, "attack": "none", "local_lr": 0.2} | keys
    here = locally(tmp_path / "local", **keys)
    assert federate(tmp_path / "flower", nodes=2, **keys).sha256 == here.sha256
    one = locally(tmp_path / "one", **(keys | {"local_steps": 1}))
    assert one.sha256 != here.sha256
    longer = locally(tmp_path / "longer", **(keys | {"local_lr": 0.3}))
    assert longer.sha256 != here.sha256


def test_a_code_on_gradients_takes_one_step():
    with pytest.raises(ConfigError, match="local-steps: expected 1 with strategy='election'"):
        parse({"strategy": "election", "local-steps": 2})
    parse({"strategy": "election"})
