from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from signfed.app.task import Dataset, Gradients, Spec, build, evaluate, flatten
from signfed.app.task.partitions.stratified import stratified

CPU = torch.device("cpu")
N_SAMPLES, N_WORKERS, BATCH = 60, 4, 6


def small_model():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


class Small:
    """A data set whose first feature is the sample's id, so that a batch shows who is in it."""

    def __init__(self, seed=0, batch_size=BATCH):
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(N_SAMPLES, 4, generator=generator)
        self.x[:, 0] = torch.arange(N_SAMPLES)
        self.y = torch.arange(N_SAMPLES) % 3
        self.shards = stratified(self.y.numpy(), N_WORKERS, 0)
        self.model = small_model()
        self.seen = []
        data = Dataset(self.x, self.y, self.x[:0], self.y[:0], self.to_input)
        self.gradients = Gradients(
            self.model, data, self.shards, batch_size=batch_size, seed=seed, device=CPU
        )
        self.parameters = torch.randn(43, generator=generator).numpy() * 0.3

    def to_input(self, x):
        self.seen.append(x[:, 0].to(torch.int64).tolist())
        return x / torch.tensor([N_SAMPLES, 1.0, 1.0, 1.0])

    def batch(self, worker, server_round):
        self.gradients(self.parameters, worker, server_round)
        return self.seen[-1]

    def loss(self, parameters, batch):
        """The plain mean cross-entropy, in the precision of `parameters`."""
        model = small_model().to(parameters.dtype)
        nn.utils.vector_to_parameters(parameters, model.parameters())
        logits = model(self.to_input(self.x[batch]).to(parameters.dtype))
        return cross_entropy(logits, self.y[batch]), model


def test_parameters_are_flattened_in_their_order():
    model = nn.Linear(2, 1)
    nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0, 3.0]), model.parameters())
    assert flatten(model).tolist() == [1.0, 2.0, 3.0] and not flatten(model).requires_grad
    assert model.weight.tolist() == [[1.0, 2.0]] and model.bias.tolist() == [3.0]


def test_gradient_is_plain_autograd_on_the_batch():
    small = Small()
    found = small.gradients(small.parameters, 2, 7)
    loss, model = small.loss(torch.from_numpy(small.parameters.copy()), small.seen[-1])
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert found.dtype == np.float32 and found.shape == (43,)
    torch.testing.assert_close(torch.from_numpy(found), expected)


def test_gradient_is_the_slope_of_the_loss():
    """Central differences in float64; their error is far below float32's."""
    small = Small()
    found = small.gradients(small.parameters, 1, 3)
    batch = small.seen[-1]
    x = torch.from_numpy(small.parameters).double()
    for i in range(0, 43, 6):
        step = torch.zeros(43, dtype=torch.float64)
        step[i] = 1e-5
        rise = small.loss(x + step, batch)[0] - small.loss(x - step, batch)[0]
        assert rise.item() / 2e-5 == pytest.approx(float(found[i]), rel=1e-3, abs=1e-6)


def test_a_batch_is_drawn_without_repeats_from_the_workers_own_shard():
    small = Small()
    for worker in range(N_WORKERS):
        batches = [small.batch(worker, server_round) for server_round in range(1, 30)]
        shard = set(small.shards[worker].tolist())
        assert all(len(set(batch)) == BATCH and set(batch) <= shard for batch in batches)
        assert set().union(*batches) == shard
        assert len({tuple(batch) for batch in batches}) == len(batches)


def test_a_batch_may_be_the_whole_shard():
    small = Small(batch_size=N_SAMPLES // N_WORKERS)
    assert sorted(small.batch(3, 1)) == sorted(small.shards[3].tolist())


def test_the_seed_draws_other_batches():
    assert Small(seed=0).batch(0, 1) == Small(seed=0).batch(0, 1) != Small(seed=1).batch(0, 1)


def test_gradient_does_not_depend_on_what_was_computed_before():
    calls = [(worker, server_round) for server_round in (1, 2, 3) for worker in range(N_WORKERS)]
    small, other = Small(), Small()
    expected = {call: small.gradients(small.parameters, *call).tobytes() for call in calls}
    assert len(set(expected.values())) == len(calls)
    for i in np.random.default_rng(0).permutation(len(calls)):
        other.gradients(other.parameters * 2.0, *calls[0])  # other parameters in between
        assert other.gradients(other.parameters, *calls[i]).tobytes() == expected[calls[i]]


def test_gradient_leaves_everything_as_it_was():
    small = Small()
    small.parameters.flags.writeable = False  # a view on a message
    before = small.parameters.tobytes(), small.x.clone(), deepcopy(small.shards)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = small.gradients(small.parameters, 0, 1)
    kept = found.copy()
    small.gradients(small.parameters, 1, 1)
    assert np.array_equal(found, kept)  # no buffer that the next call overwrites
    assert small.parameters.tobytes() == before[0]
    assert torch.equal(small.x, before[1]) and np.array_equal(small.shards, before[2])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.fixture
def threads():
    """torch.set_num_threads, put back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_bits_do_not_depend_on_the_number_of_threads(threads):
    """With two of them, PyTorch sums this network's gradient in another order."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(64, 1, 28, 28, generator=generator), torch.arange(64) % 10
    data = Dataset(x, y, x, y, to_input=lambda x: x)
    model = build("fd-cnn", Spec((1, 28, 28), 10), seed=0)
    at_work = []
    model.register_forward_hook(lambda *_: at_work.append(torch.get_num_threads()))
    shard = np.arange(64)[None]
    gradients = Gradients(model, data, shard, batch_size=64, seed=0, device=CPU)
    parameters, found = flatten(model).numpy(), set()
    for count in (1, 2):
        threads(count)
        found.add(gradients(parameters, 0, 1).tobytes())
        assert torch.get_num_threads() == count
    assert len(found) == 1 and at_work == [1, 1]


def test_threads_are_given_back_when_a_gradient_fails(threads):
    small = Small()
    threads(2)
    with pytest.raises(IndexError):
        small.gradients(small.parameters, N_WORKERS, 1)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("test_batch", [1, 2, 1000])
def test_accuracy_and_loss_by_hand(test_batch, monkeypatch):
    """Logits (0, ln x): class 1 has x / (1 + x).

    x = 2, y = 1: right, ln(3/2). x = 4, y = 0: wrong, ln 5. x = 1/2, y = 0: right, ln(3/2).
    """
    monkeypatch.setattr("signfed.app.task.evaluation.TEST_BATCH", test_batch)
    x, y = torch.tensor([[2.0], [4.0], [0.5]]), torch.tensor([1, 0, 0])
    data = Dataset(x[:0], y[:0], x, y, to_input=torch.log)
    parameters = torch.tensor([0.0, 1.0, 0.0, 0.0])  # weight of both classes, bias of both
    accuracy, loss = evaluate(nn.Linear(1, 2), parameters, data)
    assert accuracy == pytest.approx(2 / 3)
    assert loss == pytest.approx(np.log(3 / 2 * 5 * 3 / 2) / 3)
    assert parameters.tolist() == [0.0, 1.0, 0.0, 0.0]
