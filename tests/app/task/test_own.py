"""A user's own data set, model and loss; and that whatever they draw is a pure function."""

import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.task import Classification, Dataset, find_task
from signfed.app.task.quadratic import Quadratic
from tests.app.task import own_images
from tests.federation import federate, locally

HERE = "tests.app.task.own_images"
OWN = {"task": f"{HERE}:images", "model": f"{HERE}:network", "loss": f"{HERE}:smoothed"}


def problem(**given):
    keys = OWN | {"batch-size": 10} | {key.replace("_", "-"): v for key, v in given.items()}
    workload = parse(keys).workload
    return find_task(workload.task).problem(workload)


# Own ones


def test_own_data_network_and_loss_are_those_of_the_run():
    found = problem()
    assert found.num_classes == 3 and len(found.initial()) == 6 * 27 + 6 + 12 + 96 * 3 + 3
    start = found.evaluate(found.initial())
    data, model = own_images.images(None, False), deepcopy(found._model)
    with torch.no_grad():
        scores = model(data.to_input(data.test_x))
    assert start["test_loss"] == pytest.approx(float(own_images.smoothed(scores, data.test_y)))
    assert start["test_accuracy"] == pytest.approx(
        float((scores.argmax(1) == data.test_y).float().mean())
    )
    plain = problem(loss="cross-entropy").evaluate(found.initial())
    assert plain["test_loss"] != start["test_loss"]


def test_a_built_in_model_takes_own_data():
    assert len(problem(model="resnet-56").initial()) == 853_018 - 7 * 65


def test_a_federation_learns_an_own_task(tmp_path):
    done = federate(
        tmp_path, **OWN, strategy="mean", attack="none", lr=0.2, momentum=0.9, batch_size=10,
        num_rounds=40, evaluate_every=40,
    )  # fmt: skip
    assert done.summary["final_test_accuracy"] > 0.9


@pytest.mark.parametrize(
    "given, text",
    [
        (
            {"model": "no_such:f"},
            "model='no_such:f': No module named 'no_such'; expected module:fun",
        ),
        ({"model": f"{HERE}:f"}, "has no attribute 'f'; expected module:function"),
        ({"model": f"{HERE}:NOT_A_FUNCTION"}, "expected a function, got int"),
        ({"model": f"{HERE}:two_scores"}, r"expected scores \[2, 3\] for 2 samples .* \[2, 2\]"),
        (
            {"model": f"{HERE}:failing"},
            r"numbers of shape \[3, 8, 8\]: RuntimeError: out of luck",
        ),
        ({"model": f"{HERE}:random_network"}, "draws from the global generator of torch"),
        (
            {"model": "text-rnn"},
            "cannot take .*: ValueError: expected tokens; got numbers",
        ),
        ({"loss": f"{HERE}:each_loss"}, "expected a tensor with one number"),
        ({"loss": "no_such:f"}, "loss='no_such:f': No module named 'no_such'"),
        ({"task": "no_such:f"}, "task='no_such:f': No module named 'no_such'"),
        ({"task": f"{HERE}:no_dataset"}, "expected a signfed.Dataset; got list"),
        ({"task": f"{HERE}:float_labels"}, r"expected training labels int64 \[n\]"),
        ({"task": f"{HERE}:too_few_labels"}, "got 4 samples and 3 labels"),
        ({"batch_size": 21}, "batch-size: the largest shard .* holds 20 samples"),
        ({"num_workers": 301, "batch_size": 1}, "301 of 301 workers hold no sample"),
    ],
)
def test_what_cannot_be_is_refused_before_the_start(given, text):
    with pytest.raises(ConfigError, match=text):
        problem(**given)


PAGE = (Path(__file__).resolve().parents[3] / "docs/extend.md").read_text(encoding="utf-8")


def test_the_printed_example_runs(tmp_path, monkeypatch):
    code = re.search(r"```python\n# waves\.py\n(.*?)```", PAGE, re.S).group(1)
    (tmp_path / "waves.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names = {"task": "waves:waves", "model": "waves:net", "loss": "waves:smoothed"}
    config = names | {"batch-size": 8}
    given = config | {"strategy": "sign-mv", "num-rounds": 30, "evaluate-every": 30, "lr": 0.01}
    done = locally(tmp_path / "run", **{key.replace("-", "_"): v for key, v in given.items()})
    assert done.summary["final_test_accuracy"] > 0.9
    for name in config.values():
        assert str(name) in PAGE


# Purity


@pytest.mark.parametrize("more", [{}, {"partition": "labels"}, {"batch_sizes": "5x9,10x6"}])
def test_the_model_is_that_of_flower_with_1_2_and_15_nodes(more, tmp_path):
    """With dropout, augmentation and norms, from threads or one call of all workers."""
    keys = OWN | {"strategy": "mean", "batch_size": 10, "num_rounds": 4, "num_byzantine": 3} | more
    here = locally(tmp_path / "local", **keys).sha256
    for nodes in (1, 2, 15):
        assert federate(tmp_path / str(nodes), nodes=nodes, **keys).sha256 == here


@pytest.mark.parametrize("model", [OWN["model"], "signguard-cnn", "text-rnn"])
def test_a_gradient_is_the_same_side_by_side_and_in_any_order(model):
    found = problem(model=model) if model == OWN["model"] else on_random_data(model)
    x = found.initial().numpy()
    calls = [(worker, server_round) for server_round in (1, 2, 3) for worker in range(15)]
    expected = {call: found.gradient(x, *call).tobytes() for call in calls}
    assert len(set(expected.values())) == len(calls)
    order = [calls[i] for i in np.random.default_rng(0).permutation(len(calls))]
    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda call: found.gradient(x, *call).tobytes(), order))
    assert rows == [expected[call] for call in order]
    assert torch.equal(torch.get_rng_state(), state)


def on_random_data(model):
    """Random images, or texts of 1 to 20 of 30 tokens."""
    draws, y = torch.Generator().manual_seed(0), torch.arange(150) % 4
    if model == "text-rnn":
        x = torch.randint(2, 30, (150, 20), generator=draws)
        x[torch.arange(20) > (torch.arange(150) % 20)[:, None]] = 0
        data, task = Dataset(x, y, x, y, to_input=lambda x: x, vocabulary=30), "ag-news"
    else:
        x = torch.rand(150, 1, 28, 28, generator=draws)
        data, task = Dataset(x, y, x, y), "mnist"
    given = {"task": task, "model": model, "batch-size": 4}
    return Classification(parse(given).workload, data, 4)


def test_all_workers_in_one_call_give_the_loops_gradients_or_none_do():
    """Where the bits differ on this machine, the loop is taken, unless vmap is asked for."""
    found, forced = problem(), problem(gradients="vmap")
    x = found.initial().numpy()
    one_by_one = [found.gradient(x, worker, 3) for worker in range(15)]
    batched = found.batched(lambda t: range(15))
    if batched is None:
        assert found.way["way"] == "loop" and "other bits than the loop's" in found.way["because"]
    else:
        assert np.array_equal(batched(x, range(15), 3).numpy(), one_by_one)
    rows = forced.batched(lambda t: range(15))(x, range(15), 3).numpy()
    np.testing.assert_allclose(rows, one_by_one, rtol=0, atol=1e-5)


def test_the_seed_changes_masks_and_augmentation():
    rows = [problem(seed=seed)._gradients for seed in (0, 0, 1)]
    masks = [b"".join(m.tobytes() for m in g.masks(3, 2)) for g in rows]
    changes = [g.changes(3, 2).tobytes() for g in rows]
    for drawn in (masks, changes):
        assert drawn[0] == drawn[1] != drawn[2]


def test_evaluation_and_truth_see_the_data_as_they_are():
    found = problem()
    x = found.initial()
    assert found.evaluate(x) == found.evaluate(x)
    data, model = own_images.images(None, False), deepcopy(found._model)
    loss = own_images.smoothed(model(data.to_input(data.train_x)), data.train_y)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, model.parameters())])
    np.testing.assert_allclose(found.truth(x.numpy()), expected.numpy(), atol=1e-5)


def test_other_batch_sizes_make_the_quadratics_noise_smaller():
    workload = parse({"task": "quadratic", "batch-sizes": "1x14,100"}).workload
    noise = [Quadratic(workload).gradient(np.zeros(1000, np.float32), w, 1).std() for w in (0, 14)]
    assert noise[0] == pytest.approx(1, rel=0.1) and noise[1] == pytest.approx(0.1, rel=0.1)
