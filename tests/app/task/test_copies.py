"""Users' functions get copies: whatever they write into, nothing that is stored changes."""

import pytest
import torch

from tests.federation import federate, locally

# Each writes into what it is given, in one of the places where users' code runs.
WRITERS = {
    "to_input": """
    usual_load = load
    def load(data_dir, download):
        d = usual_load(data_dir, download)
        return Dataset(d.train_x, d.train_y, d.test_x, d.test_y, lambda v: v.sub_(5).div_(3))
    """,
    "model": """
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 2)
        def forward(self, x):
            x -= 0.3
            return self.linear(x)
    def net(spec):
        return Shifted()
    """,
    "loss, labels": """
    def loss(scores, labels):
        labels.mul_(-1).add_(1)
        return F.cross_entropy(scores, labels)
    """,
    "loss, scores": """
    def loss(scores, labels):
        value = F.cross_entropy(scores, labels)
        with torch.no_grad():
            scores.zero_()
        return value
    """,
    "augment": """
    class Dimmed:
        def draw(self, rng, batch):
            return rng.random((batch, 1))
        def __call__(self, x, drawn):
            return x.mul_(drawn.float())
    usual_load = load
    def load(data_dir, download):
        d = usual_load(data_dir, download)
        return Dataset(d.train_x, d.train_y, d.test_x, d.test_y, augment=Dimmed())
    """,
    "weights": """
    class Clipped(nn.Linear):
        def forward(self, x):
            self.weight.data.mul_(0.5)
            return super().forward(x)
    def net(spec):
        return Clipped(16, 2)
    """,
}


@pytest.mark.parametrize("code", WRITERS.values(), ids=WRITERS)
def test_stored_samples_labels_and_parameters_stay(code, problem):
    found = problem(code)
    before, x = found.digest(), found.initial()
    kept = x.clone()
    scores = [found.evaluate(x) for _ in range(3)]
    assert scores[0] == scores[1] == scores[2]
    rows = [found.gradient(x.numpy(), 0, 1).tobytes() for _ in range(3)]
    assert len(set(rows)) == 1
    assert found.truth(x.numpy()).tobytes() == found.truth(x.numpy()).tobytes()
    if batched := found.batched(lambda t: range(4)):
        first, again = (batched(x, range(4), 1) for _ in range(2))
        assert torch.equal(first, again)
    del found._digest  # computed anew
    assert found.digest() == before and torch.equal(x, kept)


@pytest.mark.parametrize("code", WRITERS.values(), ids=WRITERS)
def test_both_engines_compute_the_same_model(code, mine, tmp_path):
    keys = mine(code) | {"strategy": "mean", "num_rounds": 4, "evaluate_every": 1, "batch_size": 5}
    done, other = locally(tmp_path / "local", **keys), federate(tmp_path / "flower", **keys)
    assert done.sha256 == other.sha256
    scores = [[r["test_loss"] for r in found.rounds] for found in (done, other)]
    assert scores[0] == scores[1]


def test_an_attack_on_labels_gets_its_own(problem):
    found = problem()
    x = found.initial().numpy()
    before = found.digest()

    def relabel(batch):
        batch.labels[:] = 0
        return batch

    assert found.gradient(x, 0, 1).tobytes() != found.gradient(x, 0, 1, relabel).tobytes()
    del found._digest
    assert found.digest() == before


def test_samples_that_want_a_gradient_are_taken_as_they_are(problem):
    found = problem("""
    usual_load = load
    def load(data_dir, download):
        d = usual_load(data_dir, download)
        return Dataset(d.train_x.requires_grad_(), d.train_y, d.test_x.requires_grad_(), d.test_y)
    """)
    assert found.evaluate(found.initial())["test_loss"] > 0
