import pytest
import torch

from signfed.app.task.recorded import recorded


def operations(function):
    """How many a recorded function has."""
    return sum(node.op == "call_function" for node in function.graph.nodes)


def sample(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def twice(x):
    return torch.relu(x) * torch.exp(torch.relu(x))


def turned_back(x):
    return x.t().t().transpose(0, 1).transpose(0, 1) + 1


def turned(x):
    return x.transpose(0, 1).transpose(1, 2) + 1 if x.dim() == 3 else x.t() + 1


def of_the_same_shape(x):
    return x.view(3, 4).expand(3, 4).view(3, 4).exp()


def of_another_shape(x):
    return x.view(4, 3).exp()


def unused(x):
    torch.exp(x).sum()
    return x.neg()


def draws(x):
    return torch.rand_like(x) - torch.rand_like(x)


def in_place(x):
    y = x.clone()
    before = torch.exp(y)
    y.add_(1)
    return before + torch.exp(y)


@pytest.mark.parametrize(
    "function, left",
    [
        (twice, 3),
        (turned_back, 1),
        (turned, 2),
        (of_the_same_shape, 1),
        (of_another_shape, 2),
        (unused, 1),
        (draws, 3),
        (in_place, 5),
    ],
)
def test_what_changes_nothing_is_left_out_and_all_else_stays(function, left):
    short = recorded(function, sample(3, 4))
    assert operations(short) == left
    x = sample(3, 4, seed=1)
    torch.manual_seed(0)
    expected = function(x.clone())
    torch.manual_seed(0)
    assert torch.equal(short(x), expected)


def test_turns_about_other_axes_do_not_undo_each_other():
    x = sample(2, 3, 4)
    short = recorded(turned, x)
    assert operations(short) == 3 and torch.equal(short(x), turned(x))


def test_times_one_is_left_out_unless_it_makes_another_type():
    x = sample(3)
    assert operations(recorded(lambda x: torch.ops.aten.mul.Scalar(x, 1) + 2, x)) == 1
    whole = torch.arange(3)
    short = recorded(lambda x: torch.ops.aten.mul.Scalar(x, 1.0) / 2, whole)
    assert operations(short) == 2 and short(whole).dtype == torch.float32


def test_several_tensors_and_lists_of_them_are_taken_and_given():
    def function(x, masks):
        return [x * masks[0], x * masks[1], x * masks[0]]

    given = sample(3), [sample(3, seed=1), sample(3, seed=2)]
    short = recorded(function, *given)
    assert operations(short) == 2
    other = sample(3, seed=3), [sample(3, seed=4), sample(3, seed=5)]
    for a, b in zip(short(*other), function(*other), strict=True):
        assert torch.equal(a, b)


def test_a_tensor_from_elsewhere_is_kept_and_values_are_not_branched_upon():
    table = sample(3, seed=4)
    x = sample(3, seed=5)
    assert torch.equal(recorded(lambda x: x * table + table, sample(3))(x), x * table + table)
    value, branch = lambda x: x * x.sum().item(), lambda x: x if x.sum() > 0 else -x
    for function in (value, branch, torch.nonzero):
        with pytest.raises(RuntimeError, match="depends on values"):
            recorded(function, sample(3))


def test_what_no_given_tensor_decides_is_made_once():
    table = sample(4, seed=4)

    def function(x):
        return x * (torch.ones_like(x) / table.exp()) + x.new_zeros(3, 4)

    short = recorded(function, sample(3, 4))
    assert operations(short) == 2
    x = sample(3, 4, seed=1)
    assert torch.equal(short(x), function(x))


@pytest.mark.parametrize("function", [torch.ones_like, lambda x: torch.ones_like(x).view(4, 3)])
def test_a_constant_that_is_returned_is_the_caller_s(function):
    short = recorded(function, sample(3, 4))
    short(sample(3, 4)).zero_()
    assert short(sample(3, 4)).unique().tolist() == [1.0]


def test_a_large_constant_is_made_anew(monkeypatch):
    monkeypatch.setattr("signfed.app.task.recorded.SMALL", 40)
    assert operations(recorded(lambda x: x + torch.ones_like(x), sample(11))) == 2
    assert operations(recorded(lambda x: x + torch.ones_like(x), sample(10))) == 1
