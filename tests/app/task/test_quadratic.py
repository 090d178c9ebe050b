import numpy as np
import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.task import TASKS
from tests.federation import federate


def quadratic(**keys):
    return TASKS["quadratic"].problem(parse({"task": "quadratic", **keys}).workload)


def test_the_gradient_is_the_point_plus_noise_that_the_batch_averages():
    x = np.linspace(-1, 1, 1000, dtype=np.float32)
    one = np.stack([quadratic(**{"batch-size": 1}).gradient(x, 0, t) - x for t in range(1, 101)])
    # 100,000 draws of N(0, 1): the mean within 4 standard errors, the deviation within 1 %.
    assert abs(one.mean()) < 4 / 100_000**0.5 and one.std() == pytest.approx(1, rel=0.01)
    many = quadratic(**{"batch-size": 400}).gradient(x, 0, 1) - x
    assert np.allclose(many, one[0] / 20, atol=1e-6)
    assert x[0] == -1.0


def test_a_batch_may_grow_with_the_rounds():
    """batch-sizes='t': in round 400 the same draw as with one sample, averaged over 400."""
    x = np.zeros(1000, np.float32)
    grows = quadratic(**{"batch-sizes": "t"})
    one = quadratic(**{"batch-size": 1})
    assert np.array_equal(grows.gradient(x, 3, 1), one.gradient(x, 3, 1))
    assert np.allclose(grows.gradient(x, 3, 400), one.gradient(x, 3, 400) / 20, atol=1e-6)


def test_the_gradient_is_a_function_of_seed_worker_and_round():
    x = np.zeros(1000, np.float32)
    drawn = [
        quadratic(seed=seed).gradient(x, worker, server_round).tobytes()
        for seed, worker, server_round in [
            (0, 1, 2),
            (0, 1, 2),
            (1, 1, 2),
            (0, 2, 2),
            (0, 1, 3),
            (0, 2, 1),
        ]
    ]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 5


def test_the_loss_is_half_the_squared_norm():
    assert quadratic().evaluate(torch.tensor([3.0, 4.0])) == {"test_loss": 12.5}
    start = quadratic().initial()
    assert start.shape == (1000,) and start.dtype == torch.float32
    assert torch.equal(start, quadratic().initial())
    assert not torch.equal(start, quadratic(seed=1).initial())


def test_a_federation_descends_and_more_liars_slow_it_down(tmp_path):
    def last_loss(byzantine):
        done = federate(
            tmp_path / str(byzantine), task="quadratic", strategy="sign-mv",
            lr_schedule="inverse-sqrt",
            lr=0.1, num_rounds=100, evaluate_every=100, batch_size=4, num_byzantine=byzantine,
        )  # fmt: skip
        assert "final_test_accuracy" not in done.summary
        return done.summary["final_test_loss"]

    start = quadratic().evaluate(quadratic().initial())["test_loss"]
    losses = [last_loss(byzantine) for byzantine in (0, 4, 7)]
    assert losses[0] < losses[1] < losses[2] < start
    assert losses[0] < 0.05 * start
