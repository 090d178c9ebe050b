"""Sizes, values and slopes of the networks, each beside the same in plain NumPy."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from signfed.app.errors import ConfigError
from signfed.app.task import MODELS, TASKS, Dataset, Gradients, Spec, build, evaluate, flatten
from signfed.app.task.batched import BatchedGradients
from signfed.app.task.models.pure import Dropout, draw_masks, dropouts, purified
from tests.app.task.slow_networks import NETWORKS, Layers

CPU = torch.device("cpu")
GREY, RGB, RGB_100 = Spec((1, 28, 28), 10), Spec((3, 32, 32), 10), Spec((3, 32, 32), 100)
COUNTS = [
    ("mlp", Spec((64,), 10), 9_610),
    ("krum-mlp", Spec((57,), 2), 1_622),  # 58 x 20 + 21 x 20 + 21 x 2
    ("fd-cnn", GREY, 582_026),
    ("bft-cnn", GREY, 1_199_882),
    ("signguard-cnn", GREY, 51_710),
    ("resnet-56", RGB, 853_018),
    ("resnet-56", RGB_100, 858_868),
    ("resnet-18", RGB, 11_173_962),
    ("resnet-50", RGB, 23_520_842),
    # 10,000 x 300; a direction of a layer 512 x (300 or 256 + 128 + 2); 256 x 4 + 4
    ("text-rnn", Spec((64,), 4, 10_000), 3_000_000 + 2 * 220_160 + 2 * 197_632 + 1_028),
]


@pytest.mark.parametrize("name, spec, count", COUNTS)
def test_number_of_parameters(name, spec, count):
    assert sum(p.numel() for p in build(name, spec, seed=0).parameters()) == count


def test_every_model_is_counted_and_belongs_to_a_task():
    named = {name for task in TASKS.values() if task.load for name in task.models}
    assert set(MODELS) == {name for name, _, _ in COUNTS} == named == set(NETWORKS)


@pytest.mark.parametrize("name", ["mlp", "text-rnn", "resnet-56"])
def test_a_model_is_a_function_of_its_name_and_seed(name):
    state, spec = torch.get_rng_state(), small(name)[0]
    first, again, other = (flatten(build(name, spec, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_cannot_take_the_samples_says_so(name):
    wrong = Spec((1, 28, 28), 10) if name == "text-rnn" else Spec((64,), 4, 100)
    if not name.endswith("mlp"):
        with pytest.raises(ValueError, match=r"expected (tokens|images)"):
            build(name, wrong, 0)


# Values and slopes


def small(name):
    """(spec, 12 samples): as small as the network takes them, so that NumPy is fast enough."""
    draws = np.random.default_rng(0)
    if name == "text-rnn":
        tokens = draws.integers(1, 50, (12, 7))
        for text, length in zip(tokens, [7, 3, 1, 5, 0, 7, 2, 6, 4, 7, 1, 3], strict=True):
            text[length:] = 0
        return Spec((7,), 3, 50), torch.from_numpy(tokens)
    shape = (
        (64,) if name.endswith("mlp") else (3, 16, 16) if name.startswith("resnet") else (2, 20, 18)
    )
    x = draws.standard_normal((12, *shape)).astype(np.float32)
    return Spec(shape, 3), torch.from_numpy(x)


@lru_cache(maxsize=1)
def case(name):
    """(gradients, parameters, samples, labels): 3 workers with 4 samples each, all in a batch."""
    spec, x = small(name)
    y = torch.arange(12) % 3
    data = Dataset(x, y, x, y, to_input=lambda x: x)
    model = build(name, spec, seed=1)
    gradients = Gradients(
        model, data, np.arange(12).reshape(3, 4), batch_size=4, seed=3, device=CPU
    )
    parameters = flatten(model).numpy()
    draws = np.random.default_rng(7)  # also scales, shifts and biases that start at 0 or 1
    parameters = parameters + 0.02 * draws.standard_normal(len(parameters), dtype=np.float32)
    return gradients, parameters, x, y


def slow_scores(name, parameters, x, masks=()):
    net = Layers(parameters.astype(np.float64), [mask.astype(np.float64) for mask in masks])
    x = x.numpy() if name == "text-rnn" else x.double().numpy()
    scores = NETWORKS[name](net, x, 3)
    assert net.done()
    return scores


def slow_loss(scores, y):
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(y)), y].mean()


@pytest.mark.parametrize("name", MODELS)
def test_the_value_is_that_of_the_plain_network(name):
    """Scores of all samples in one batch, nothing dropped, to float32's precision."""
    _, parameters, x, y = case(name)
    model = build(name, small(name)[0], seed=0)
    nn.utils.vector_to_parameters(torch.from_numpy(parameters), model.parameters())
    expected = slow_scores(name, parameters, x)
    assert np.std(expected) > 0.01
    with torch.no_grad():
        np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-3, atol=1e-4)
    data = Dataset(x, y, x, y, to_input=lambda x: x)
    accuracy, loss = evaluate(model, torch.from_numpy(parameters), data)
    assert loss == pytest.approx(slow_loss(expected, y.numpy()), rel=1e-4)
    assert accuracy == pytest.approx((expected.argmax(axis=1) == y.numpy()).mean())


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_the_slope_of_the_plain_network(name):
    """Central differences in float64, along the gradient and for coordinates of all parts."""
    gradients, parameters, x, y = case(name)
    worker, server_round = 1, 5
    found = gradients(parameters, worker, server_round)
    batch, masks = gradients.batch(worker, server_round), gradients.masks(worker, server_round)
    assert len(masks) == len(dropouts(gradients.model))

    def loss(at):
        return slow_loss(slow_scores(name, at, x[batch], masks), y[batch].numpy())

    parts = np.array_split(np.arange(len(found)), 4)
    chosen = [part[np.abs(found[part]).argmax()] for part in parts]
    directions = [found / np.linalg.norm(found), *(np.eye(1, len(found), i)[0] for i in chosen)]
    for direction in directions:
        step = 1e-6 * direction.astype(np.float64)
        slope = (loss(parameters + step) - loss(parameters - step)) / 2e-6
        assert slope == pytest.approx(float(found @ direction), rel=0.01, abs=1e-5)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"text-rnn", "resnet-18", "resnet-50"}))
def test_all_workers_in_one_call_are_the_loops(name):
    """What a GPU takes. In float64: small batches and many norms blow rounding up.

    The other ResNets are made of the same operations.
    """
    spec, x = small(name)
    data = Dataset(x.double(), case(name)[3], x, case(name)[3], to_input=lambda x: x)
    gradients = Gradients(
        build(name, spec, 1).double(), data, np.arange(12).reshape(3, 4),
        batch_size=4, seed=3, device=CPU,
    )  # fmt: skip
    parameters = case(name)[1].astype(np.float64)
    batched = BatchedGradients(gradients)
    for server_round in (1, 2):  # recorded in the first, run again in the second
        expected = np.stack([gradients(parameters, worker, server_round) for worker in range(3)])
        found = batched(parameters, range(3), server_round).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_a_network_that_has_no_form_for_all_workers_says_so():
    gradients, parameters, _, _ = case("text-rnn")
    assert not BatchedGradients(gradients).works(parameters, range(3), 1)


# Dropout and norms as pure functions


def test_masks_are_drawn_with_their_rate_and_scaled():
    rng = np.random.default_rng(0)
    half, quarter, all_ = draw_masks([0.5, 0.25, 1.0], [(50,), (3, 10), ()], 400, rng)
    assert half.shape == (400, 50) and quarter.shape == (400, 3, 10) and all_.shape == (400,)
    assert set(np.unique(half)) == {0, 2} and set(np.unique(quarter)) == {0, np.float32(4 / 3)}
    assert (half == 0).mean() == pytest.approx(0.5, abs=0.015)  # 4 standard errors
    assert (quarter == 0).mean() == pytest.approx(0.25, abs=0.016)
    assert not all_.any() and half.dtype == np.float32


def test_masks_are_a_function_of_seed_worker_and_round():
    gradients = case("bft-cnn")[0]
    drawn = [
        b"".join(mask.tobytes() for mask in gradients.masks(worker, server_round))
        for worker, server_round in [(0, 1), (0, 1), (1, 1), (0, 2), (2, 1), (1, 2)]
    ]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 5
    first, second = gradients.masks(0, 1)
    assert first.shape == (4, 64, 8, 7) and second.shape == (4, 128)


def test_a_gradient_with_dropout_leaves_no_mask_behind():
    gradients, parameters, x, y = case("signguard-cnn")
    gradients(parameters, 0, 1)
    everywhere = gradients.everywhere(parameters)
    whole = np.mean([slow_gradient(x[i : i + 4], y[i : i + 4]) for i in (0, 4, 8)], axis=0)
    assert np.allclose(everywhere, whole, atol=1e-5)
    again = gradients.everywhere(parameters)
    assert np.array_equal(everywhere, again)


def slow_gradient(x, y):
    _, parameters, _, _ = case("signguard-cnn")
    model = build("signguard-cnn", small("signguard-cnn")[0], seed=0)
    nn.utils.vector_to_parameters(torch.from_numpy(parameters.copy()), model.parameters())
    loss = nn.functional.cross_entropy(model(x), y)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, model.parameters())]).numpy()


def test_pytorchs_own_dropout_and_statistics_are_replaced():
    inner = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.3))
    model = purified(nn.Sequential(nn.Conv1d(1, 3, 1), nn.Dropout1d(0.5), inner, nn.Dropout(0.0)))
    assert [(d.p, d.channels) for d in dropouts(model)] == [(0.5, True), (0.3, False)]
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert list(model.buffers()) == [] and len(list(model.parameters())) == 4
    x = torch.randn(5, 1, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.train()(x), model.eval()(x))  # the batch's statistics in both
    assert Dropout(0.5, channels=True).shape(torch.zeros(5, 3, 4)) == (3, 1)


def test_a_dropout_that_is_used_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.linear = nn.Dropout(0.5), nn.Linear(4, 2)

        def forward(self, x):
            return self.drop(self.linear(self.drop(x)))

    x, y = torch.zeros(6, 4), torch.zeros(6, dtype=torch.int64)
    data = Dataset(x, y, x, y)
    with pytest.raises(ValueError, match="a Dropout is used twice"):
        Gradients(purified(Twice()), data, np.arange(6)[None], batch_size=2, seed=0, device=CPU)


def test_an_unknown_model_is_refused():
    with pytest.raises(ConfigError, match="model='no_such:thing': No module named 'no_such'"):
        build("no_such:thing", GREY, 0)
