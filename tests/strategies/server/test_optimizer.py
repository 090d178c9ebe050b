from typing import get_args

import pytest
import torch

from signfed.strategies.server.optimizer import Descent, Schedule, Step

DIRECTIONS = [(1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]


@pytest.mark.parametrize(
    "step, path",
    [
        # x - 0.5 v
        (Step(lr=0.5), [(0.5, -1.5), (0.0, -2.0), (0.5, -2.5)]),
        # buf = v; 0.5 buf + v: (1, -1), (1.5, 0.5), (-0.25, 1.25)
        (Step(lr=0.5, momentum=0.5), [(0.5, -1.5), (-0.25, -1.75), (-0.125, -2.375)]),
        # v + 0.5 x: (1.5, -2), (1.125, 0.5), (-1.15625, 0.375)
        (Step(lr=0.5, weight_decay=0.5), [(0.25, -1.0), (-0.3125, -1.25), (0.265625, -1.4375)]),
        # v + 0.5 x: (1.5, -2), (1.125, 0.5), (-1.34375, 0.625); buf: that, (1.875, -0.5),
        # (-0.40625, 0.375)
        (
            Step(lr=0.5, momentum=0.5, weight_decay=0.5),
            [(0.25, -1.0), (-0.6875, -0.75), (-0.484375, -0.9375)],
        ),
    ],
    ids=["plain", "momentum", "weight decay", "both"],
)
def test_three_steps_by_hand(step, path):
    """From (1, -2); all numbers are exact in binary."""
    descent = Descent(step, torch.tensor([1.0, -2.0]))
    walked = [tuple(descent.take(torch.tensor(v)).tolist()) for v in DIRECTIONS]
    assert walked == path


@pytest.mark.parametrize("step", [Step(0.1), Step(0.1, 0.9, 0.01)], ids=["plain", "both"])
def test_formula_over_three_steps(step):
    x, *directions = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    descent, buffer = Descent(step, x), torch.zeros(20)
    for v in directions:
        buffer = step.momentum * buffer + (v + step.weight_decay * x)
        x = x - step.lr * buffer
        torch.testing.assert_close(descent.take(v), x, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("step", [Step(0.5), Step(0.5, 0.9, 0.1)], ids=["plain", "both"])
def test_nothing_is_shared_with_the_caller(step):
    start = torch.tensor([1.0, -2.0])
    alone, watched = Descent(step, start), Descent(step, start)
    for v in DIRECTIONS:
        direction = torch.tensor(v)
        returned = watched.take(direction)
        assert torch.equal(returned, alone.take(torch.tensor(v)))
        assert direction.tolist() == list(v)
        returned.zero_(), direction.zero_()  # theirs to change: no later step may notice
    assert start.tolist() == [1.0, -2.0]


def test_a_direction_of_another_dtype_is_taken():
    descent = Descent(Step(1.0), torch.zeros(2))
    assert descent.take(torch.tensor([1, -1], dtype=torch.float64)).dtype == torch.float32


@pytest.mark.parametrize(
    "step, rates",
    [
        (Step(0.5), [0.5, 0.5, 0.5, 0.5]),
        (Step(0.5, schedule="inverse-sqrt"), [0.5, 0.5 / 2**0.5, 0.5 / 3**0.5, 0.25]),
        (Step(0.5, schedule="steps", milestones=(1, 3), gamma=0.5), [0.5, 0.25, 0.25, 0.125]),
    ],
    ids=get_args(Schedule),
)
def test_the_learning_rate_follows_its_schedule(step, rates):
    descent, x = Descent(step, torch.zeros(1)), 0.0
    for rate in rates:
        x -= rate
        assert descent.take(torch.ones(1)).item() == pytest.approx(x, rel=1e-6)


def test_bits_are_those_of_torchs_own_class():
    x, *directions = torch.randn(9, 1000, generator=torch.Generator().manual_seed(1))
    descent, parameter = Descent(Step(0.1, 0.9, 0.01), x), torch.nn.Parameter(x.clone())
    theirs = torch.optim.SGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.01)
    for direction in directions:
        parameter.grad = direction.clone()
        theirs.step()
        assert torch.equal(descent.take(direction), parameter.detach())


@pytest.mark.parametrize(
    "step",
    [Step(0.1), Step(0.3, 0.0, 0.01, "inverse-sqrt"), Step(0.1, 0.9), Step(0.3, 0.9, 0.01)],
    ids=["plain", "weight decay", "momentum", "both"],
)
def test_bits_of_a_step_that_a_device_decides_are_those_of_any_other(step):
    x, *directions = torch.randn(9, 1001, generator=torch.Generator().manual_seed(3))
    descent, decided = Descent(step, x), Descent(step, x)
    for direction in directions:
        taken = descent.take(direction)
        before, broken = decided.parameters, torch.full_like(x, torch.nan)
        assert torch.equal(decided.take(broken, only_if=torch.tensor(False)), before)
        decided.not_taken()
        assert torch.equal(decided.take(direction, only_if=torch.tensor(True)), taken)
        assert decided.taken == descent.taken


@pytest.mark.parametrize("step", [Step(0.5), Step(0.5, 0.9, 0.1, "inverse-sqrt")])
def test_a_descent_goes_on_where_another_stopped(step):
    x, *directions = torch.randn(7, 50, generator=torch.Generator().manual_seed(2))
    whole, first = Descent(step, x), Descent(step, x)
    for direction in directions[:3]:
        whole.take(direction), first.take(direction)
    then = Descent(step, first.parameters, first.momentum, first.taken)
    for direction in directions[3:]:
        assert torch.equal(then.take(direction), whole.take(direction))
    if step.momentum:
        forgetful = Descent(step, first.parameters, None, first.taken)
        assert not torch.equal(forgetful.take(directions[0]), first.take(directions[0]))
