"""What users' code draws is the same everywhere, and nobody else's draws change."""

import random

import numpy as np
import pytest
import torch

from signfed.app.task.seeded import seeded, watched
from tests.federation import federate, locally


def draws():
    return torch.rand(2).tolist() + np.random.rand(2).tolist() + [random.random()]


def test_every_global_generator_is_seeded_and_put_back():
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    with seeded(1):
        first = draws()
        with seeded(1):
            assert draws() == first
        assert draws() != first  # the outer one goes on
    after = draws()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    assert draws() == after


def test_they_are_put_back_after_a_failure_and_any_seed_will_do():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(2**40):
        draws()
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "draw, name",
    [
        (lambda: torch.rand(1), "torch"),
        (lambda: np.random.permutation(3), "NumPy"),
        (lambda: random.shuffle([1, 2]), "random"),
    ],
)
def test_a_draw_is_seen_and_named(draw, name):
    with watched() as drawn:
        draw()
    assert drawn == [name]


SHUFFLES = {
    "torch": "m = torch.randperm(260)",
    "NumPy": "m = torch.from_numpy(np.random.permutation(260))",
    "random": "m = torch.tensor(random.sample(range(260), 260))",
    "at import": "m = AT_IMPORT",
}


@pytest.mark.parametrize("shuffle", SHUFFLES.values(), ids=SHUFFLES)
def test_server_and_nodes_get_one_split_from_a_loader_that_shuffles(shuffle, problem):
    """The leak: each process would have its own test set, and train on the others'."""
    code = f"""
    AT_IMPORT = torch.randperm(260)
    usual_load = load
    def load(data_dir, download):
        data = usual_load(data_dir, download)
        x, y = torch.cat([data.train_x, data.test_x]), torch.cat([data.train_y, data.test_y])
        {shuffle}
        x, y = x[m], y[m]
        return Dataset(x[:200], y[:200], x[200:], y[200:])
    """
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    first = problem(code).digest()
    torch.manual_seed(2), np.random.seed(2), random.seed(2)
    assert problem(code, seed=0).digest() == first
    assert problem().digest()["data"] != first["data"]


def test_labels_that_cannot_be_learned_are_not_learned(mine, tmp_path):
    """0.97 in Flower's engine before, from random labels."""
    keys = mine("""
    def load(data_dir, download):
        g = torch.Generator().manual_seed(0)
        x, y = torch.randn(1000, 64, generator=g), torch.randint(4, (1000,), generator=g)
        m = torch.randperm(1000); x, y = x[m], y[m]
        return Dataset(x[:800], y[:800], x[800:], y[800:])
    """)
    done = federate(
        tmp_path / "run", nodes=2, task=keys["task"], model="mlp", strategy="mean", attack="none",
        num_byzantine=0, lr=0.5, num_rounds=60, evaluate_every=60, batch_size=50,
    )  # fmt: skip
    assert done.summary["final_test_accuracy"] < 0.4


INITIAL = {
    "torch": "model[0].weight.data = torch.randn(8, 16)",
    "NumPy": "model[0].weight.data = torch.from_numpy(np.random.randn(8, 16)).float()",
    "random": "model[0].weight.data.fill_(random.random())",
}


@pytest.mark.parametrize("initial", INITIAL.values(), ids=INITIAL)
def test_initial_weights_are_a_function_of_the_seed(initial, problem):
    code = f"""
    def net(spec):
        model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 2))
        {initial}
        return model
    """
    np.random.seed(3), random.seed(3)
    first = problem(code)
    assert torch.equal(first.initial(), problem(code).initial())
    assert not torch.equal(first.initial(), problem(code, seed=1).initial())


def test_a_model_function_is_called_once(problem):
    """It may give another model at each call."""
    found = problem("""
    CALLS = []
    def net(spec):
        CALLS.append(0)
        model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, spec.num_classes))
        model[0].weight.data.fill_(len(CALLS))
        return model
    """)
    x = found.initial()
    assert set(x[:128].tolist()) == {1.0}
    found.evaluate(x), found.gradient(x.numpy(), 0, 1)
    assert torch.equal(found.initial(), x)


LOSSES = {
    "torch": "torch.rand(len(labels))",
    "NumPy": "torch.from_numpy(np.random.rand(len(labels))).float()",
    "random": "torch.tensor([random.random() for _ in labels])",
}


@pytest.mark.parametrize("weights", LOSSES.values(), ids=LOSSES)
def test_a_loss_may_draw_and_every_engine_draws_the_same(weights, mine, tmp_path):
    keys = mine(f"""
    def loss(scores, labels):
        return (F.cross_entropy(scores, labels, reduction="none") * {weights}).mean()
    """)
    keys |= {"strategy": "mean", "attack": "none", "num_rounds": 3, "batch_size": 10}
    found = {federate(tmp_path / str(n), nodes=n, **keys).sha256 for n in (1, 3)}
    assert found == {locally(tmp_path / "here", **keys).sha256}


def test_a_loss_draws_anew_for_each_worker_and_round_and_leaves_the_generators(problem):
    found = problem("""
    def loss(scores, labels):
        return F.cross_entropy(scores, labels) * torch.rand(())
    """)
    x = found.initial().numpy()
    before = torch.get_rng_state()
    rows = {found.gradient(x, w, t).tobytes() for w in (0, 1) for t in (1, 2) for _ in "ab"}
    assert len(rows) == 4 and found.evaluate(found.initial()) == found.evaluate(found.initial())
    assert torch.equal(torch.get_rng_state(), before)
    assert found.batched(lambda t: range(4)) is None  # it would be recorded with one draw
