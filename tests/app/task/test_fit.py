"""What does not fit is refused before the start: by name, with what was expected and found."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from signfed.app.errors import ConfigError
from tests.federation import federate, locally

# Modules that remember

BY_HAND = """
class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.{register}
    def forward(self, x):
        if self.training:
            mean = x.mean(0)
            {update}
        else:
            mean = self.mean
        return x - mean
def net(spec):
    return nn.Sequential(nn.Linear(16, 8), Norm(), nn.Linear(8, spec.num_classes))
"""
BUFFER = 'register_buffer("mean", torch.zeros(8))'
ATTRIBUTE = "mean = torch.zeros(8)"
REMEMBERS = {
    "a norm by hand": (
        BY_HAND.format(register=BUFFER, update="self.mean.mul_(0.9).add_(0.1 * mean.detach())"),
        "a training pass changes the buffer 1.mean of Norm",
    ),
    "a buffer that is exchanged": (
        BY_HAND.format(register=BUFFER, update="self.mean = 0.9 * self.mean + 0.1 * mean.detach()"),
        "a training pass changes the buffer 1.mean of Norm",
    ),
    "an attribute": (
        BY_HAND.format(
            register=ATTRIBUTE, update="self.mean = 0.9 * self.mean + 0.1 * mean.detach()"
        ),
        "gives other scores after a training pass with the same parameters",
    ),
    "spectral norm": (
        """
def net(spec):
    return nn.utils.parametrizations.spectral_norm(nn.Linear(16, spec.num_classes))
""",
        "changes the buffer parametrizations.weight.0._u of _SpectralNorm",
    ),
    "the old spectral norm": (
        "def net(spec):\n    return nn.utils.spectral_norm(nn.Linear(16, spec.num_classes))\n",
        "changes the buffer weight_u of Linear",
    ),
    "a counter": (
        """
class Counting(nn.Linear):
    def __init__(self):
        super().__init__(16, 2)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
    def forward(self, x):
        self.steps += 1
        return super().forward(x)
def net(spec):
    return Counting()
""",
        "changes the buffer steps of Counting",
    ),
    "a batch norm of one's own": (
        """
class Own(nn.BatchNorm1d):
    def forward(self, x):
        if self.training:
            self.running_mean += 0.1 * (x.mean(0).detach() - self.running_mean)
        return x - self.running_mean
def net(spec):
    return nn.Sequential(nn.Linear(16, 8), Own(8), nn.Linear(8, spec.num_classes))
""",
        "changes the buffer 1.running_mean of Own",
    ),
}


@pytest.mark.parametrize("code, text", REMEMBERS.values(), ids=REMEMBERS)
def test_a_module_that_remembers_is_refused_by_name(code, text, mine, problem):
    with pytest.raises(ConfigError, match=f"model='mine_.*{re.escape(text)}"):
        problem(code)


PURE = {
    "batch norm": "nn.Linear(16, 8), nn.BatchNorm1d(8)",
    "instance norm": (
        "nn.Linear(16, 8), nn.Unflatten(1, (2, 4)), "
        "nn.InstanceNorm1d(2, track_running_stats=True, affine=True), nn.Flatten()"
    ),
    "batch norm with dropout": "nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)",
    "dropout before it": "nn.Dropout(0.3), nn.Linear(16, 8), nn.BatchNorm1d(8)",
    "lazy batch norm": "nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Dropout(0.1)",
}


@pytest.mark.parametrize("layers", PURE.values(), ids=PURE)
def test_pytorchs_own_norms_are_pure_forms_and_learn(layers, mine, tmp_path):
    keys = mine(f"""
    def net(spec):
        return nn.Sequential({layers}, nn.Linear(8, spec.num_classes))
    """)
    keys |= {
        "strategy": "mean", "attack": "none", "num_byzantine": 0, "batch_size": 10, "lr": 0.3,
        "num_rounds": 40, "evaluate_every": 40,
    }  # fmt: skip
    done = locally(tmp_path / "local", **keys)
    assert done.summary["final_test_accuracy"] > 0.85
    assert federate(tmp_path / "flower", nodes=2, **keys).sha256 == done.sha256


def test_statistics_of_a_frozen_norm_are_kept(problem):
    """Those of a body that was trained elsewhere."""
    found = problem("""
    def net(spec):
        norm = nn.BatchNorm1d(16)
        norm.running_mean.fill_(7.0), norm.running_var.fill_(4.0)
        norm.requires_grad_(False)
        return nn.Sequential(norm, nn.Linear(16, spec.num_classes))
    """)
    model, x = found._model, torch.randn(5, 16)
    expected = (x - 7) / (4 + 1e-5) ** 0.5
    for mode in (True, False):
        torch.testing.assert_close(model.train(mode)[0](x), expected)
    assert len(found.initial()) == 34


# Usual models


def head(frozen="model[0].requires_grad_(False)", extra=""):
    return f"""
    class Net(nn.Sequential):
        pass
    def net(spec):
        model = Net(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, spec.num_classes))
        {frozen}
        {extra}
        return model
    """


def test_a_head_on_a_frozen_body_is_trained_and_only_it_is_sent(mine, problem, tmp_path):
    found = problem(head())
    body = found._model[0].weight.clone()
    x = found.initial()
    assert len(x) == 8 * 2 + 2
    assert torch.equal(x[:16], found._model[2].weight.flatten())
    row = found.gradient(x.numpy(), 1, 3)
    batch = found._gradients.batch(1, 3)
    data = found._data
    loss = nn.functional.cross_entropy(found._model(data.train_x[batch]), data.train_y[batch])
    expected = torch.autograd.grad(loss, list(found._model[2].parameters()))
    np.testing.assert_allclose(row, torch.cat([g.flatten() for g in expected]), rtol=1e-5)
    assert len(found.truth(x.numpy())) == 18 and torch.equal(found._model[0].weight, body)
    batched = found.batched(lambda t: range(4))
    assert batched is None or np.array_equal(batched(x, range(4), 3)[1], row)
    keys = mine(head()) | {"strategy": "sign-mv", "attack": "none", "batch_size": 10, "lr": 0.03}
    done = federate(tmp_path / "flower", nodes=3, num_rounds=30, evaluate_every=30, **keys)
    assert done.summary["parameters"] == 18 and done.summary["final_test_accuracy"] > 0.8
    assert locally(tmp_path / "local", num_rounds=30, evaluate_every=30, **keys).sha256 == (
        done.sha256
    )


def test_a_parameter_without_a_use_has_a_gradient_of_zero(problem):
    found = problem(head("", "model.register_parameter('unused', nn.Parameter(torch.ones(3)))"))
    x = found.initial()
    assert (x == 1).nonzero().flatten().tolist() == [0, 1, 2]
    for row in (found.gradient(x.numpy(), 0, 1), found.truth(x.numpy())):
        assert not row[:3].any() and row[3:].any()
    if batched := found.batched(lambda t: range(4)):
        assert not batched(x, range(4), 1)[:, :3].any()


def test_tied_weights_are_one_parameter(problem):
    found = problem("""
    def net(spec):
        model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.Linear(16, 2))
        model[2].weight = model[0].weight
        return model
    """)
    assert (
        len(found.initial())
        == 256 + 16 + 16 + 34
        == len(found.gradient(found.initial().numpy(), 0, 1))
    )


STRIDES = {
    "channels last": "return model.to(memory_format=torch.channels_last)",
    "a parameter": "model[3].weight = nn.Parameter(model[3].weight.detach().T.contiguous().T)",
    "images": "",
}


@pytest.mark.parametrize("strides", STRIDES)
def test_neither_parameters_nor_samples_need_to_be_contiguous(strides, problem):
    def code(change, last):
        return f"""
        usual_load = load
        def load(*a):
            d = usual_load(*a)
            x, tests = (part.reshape(-1, 2, 2, 4) for part in (d.train_x, d.test_x))
            def to_input(x):
                return x.permute(0, 3, 1, 2){last}
            return Dataset(x, d.train_y, tests, d.test_y, to_input)
        def net(spec):
            model = nn.Sequential(
                nn.Conv2d(4, 3, (1, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(6, spec.num_classes)
            )
            {change}
            return model
        """

    made = code(STRIDES[strides], "" if strides == "images" else ".contiguous()")
    found, plain = problem(made), problem(code("", ".contiguous()"))
    x = plain.initial()
    assert torch.equal(found.initial(), x)
    expected = plain.gradient(x.numpy(), 1, 1)
    np.testing.assert_allclose(found.gradient(x.numpy(), 1, 1), expected, rtol=1e-4, atol=1e-7)
    shared = problem(made, gradients="shared").batched(lambda t: range(4))(x, range(4), 1)
    np.testing.assert_allclose(shared[1], expected, rtol=1e-4, atol=1e-7)
    loss = plain.evaluate(x)["test_loss"]
    assert found.evaluate(x)["test_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("gradients", ["shared", "vmap", "loop"])
def test_a_parameter_without_a_value_is_left_out(gradients, mine, problem, tmp_path):
    code = head("", "model.register_parameter('none', nn.Parameter(torch.zeros(0, 3)))")
    found, plain = problem(code), problem()
    assert found.edges == plain.edges and torch.equal(found.initial(), plain.initial())
    keys = {"attack": "none", "batch_size": 10, "num_rounds": 3, "gradients": gradients}
    done = [
        locally(tmp_path / name, **mine(made), **keys) for name, made in (("a", code), ("b", ""))
    ]
    assert done[0].sha256 == done[1].sha256


def test_a_model_without_any_value_is_refused(problem):
    with pytest.raises(ConfigError, match="expected a trainable parameter; got none"):
        problem(head("model.requires_grad_(False)", "model.none = nn.Parameter(torch.zeros(0))"))


@pytest.mark.parametrize(
    "layers", ["nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2)", "nn.Unflatten(1, (1, 4, 4)), "
               "nn.LazyConv2d(3, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2)"]
)  # fmt: skip
def test_lazy_modules_get_their_shapes_and_a_start_of_the_seed(layers, problem):
    code = f"def net(spec):\n    return nn.Sequential({layers})\n"
    found, again, other = (problem(code, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(found.initial(), again.initial())
    assert not torch.equal(found.initial(), other.initial())
    assert found.gradient(found.initial().numpy(), 0, 1).any()


def test_lazy_parameters_that_no_pass_reaches_are_refused(problem):
    with pytest.raises(ConfigError, match=r"without a shape: \['left.weight', 'left.bias'\]"):
        problem("""
        class Net(nn.Linear):
            def __init__(self):
                super().__init__(16, 2)
                self.left = nn.LazyLinear(3)
        def net(spec):
            return Net()
        """)


BATCH_NORM = """
def net(spec):
    return nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, spec.num_classes))
"""


@pytest.mark.parametrize("tests", [1001, 2001, 2, 1000, 1099])
def test_any_number_of_test_samples_suits_batch_norm(tests, problem):
    usual = f"usual_load = load\ndef load(*a):\n    return usual_load(*a, tests={tests})\n"
    found = problem(usual + BATCH_NORM)
    assert 0 < found.evaluate(found.initial())["test_loss"] < 5


def test_the_training_set_is_cut_the_same_way(problem):
    found = problem(
        "usual_load = load\ndef load(*a):\n    return usual_load(*a, n=1001)\n" + BATCH_NORM
    )
    assert found.truth(found.initial().numpy()).any()


def test_a_worker_with_one_sample_and_batch_norm_is_refused_before_the_start(problem):
    for given in ({"batch_size": 1}, {"batch_sizes": "5x2,1,5"}):
        with pytest.raises(ConfigError, match=r"batch-size: worker [02] has one sample a round"):
            problem(BATCH_NORM, **given)
    assert problem(batch_size=1) and problem(BATCH_NORM, batch_sizes="5x2,2,5")


def test_one_test_sample_and_batch_norm_are_refused_before_the_start(problem):
    with pytest.raises(ConfigError, match=r"cannot take .*more than 1 value per channel"):
        problem(
            "usual_load = load\ndef load(*a):\n    return usual_load(*a, tests=1)\n" + BATCH_NORM
        )


# Labels


def labelled(*labels):
    return f"""
    def load(data_dir, download):
        y = torch.tensor({labels} * 30)
        return Dataset(torch.randn(len(y), 16), y, torch.randn(len(y), 16), y)
    """


@pytest.mark.parametrize("labels", [(0, 30_000_000), (0, 1000), (5, 2**40), (0, 70_000)])
def test_labels_with_wide_gaps_are_refused_before_anything_is_allocated(labels, problem):
    text = f"numbered 0, 1, 2, ..., below 1,000 for 2 different labels; got {labels[1]:,}"
    with pytest.raises(ConfigError, match=text):
        problem(labelled(*labels))


def test_labels_with_small_gaps_are_taken(problem):
    assert problem(labelled(3, 999)).num_classes == 1000
    assert problem(labelled(1, 2)).num_classes == 3


# What users' functions return

EXPECTED_LOSS = "expected a tensor with one number, the batch's mean; got"
RETURNS = [
    ("loss", "F.cross_entropy(scores, labels, reduction='none')", rf"{EXPECTED_LOSS} shape \[2\]"),
    ("loss", "F.cross_entropy(scores, labels).item()", f"{EXPECTED_LOSS} float"),
    ("loss", "None", f"{EXPECTED_LOSS} NoneType"),
    ("loss", "F.cross_entropy(scores, labels).detach().numpy()", f"{EXPECTED_LOSS} ndarray"),
    ("loss", "(F.cross_entropy(scores, labels), 0)", f"{EXPECTED_LOSS} tuple"),
    ("loss", "F.cross_entropy(scores, labels) * float('nan')", "expected a finite .* got nan"),
    ("loss", "F.cross_entropy(scores, labels) / 0", "expected a finite number at .* got inf"),
    ("loss", "F.cross_entropy(scores, labels).detach()", "one without a gradient"),
    ("loss", "torch.tensor(1.0)", "follows from the scores by torch operations"),
    ("loss", "F.cross_entropy(scores, labels, 3)", r"loss='mine.*mine_\d+.py, line \d+\)"),
    ("net", "None", "expected a torch.nn.Module; got NoneType"),
    ("net", "nn.Linear", "expected a torch.nn.Module; got type"),
    ("net", "nn.Linear(16, 3)", r"expected scores \[2, 2\] for 2 samples of .*; got \[2, 3\]"),
    ("net", "nn.LSTM(16, 2)", r"expected scores \[2, 2\] for 2 samples of .*; got tuple"),
    ("net", "nn.Linear(17, 2)", r"cannot take .* numbers of shape \[16\]: RuntimeError: .*mat1"),
    ("net", "nn.Linear(16, 2).double()", "expected float32 parameters; weight is torch.float64"),
    ("net", "nn.Linear(16, 2).bfloat16()", "expected float32 parameters; weight is torch.bf"),
    ("net", "nn.Linear(16, 2).requires_grad_(False)", "expected a trainable parameter; got none"),
    ("net", "nn.Sequential(nn.Linear(16, 2), nn.AlphaDropout())", "global generator of torch, wh"),
    ("net", "1 / 0", r"cannot take .*: ZeroDivisionError: .*mine_\d+.py, line \d+\)"),
    ("load", "None", "expected a signfed.Dataset; got NoneType"),
    ("load", "(1, 2, 3, 4)", "expected a signfed.Dataset; got tuple"),
    ("load", "Dataset(*[np.zeros((4, 16))] * 4)", "train_x: expected a torch.Tensor .* ndarray"),
    ("load", "Dataset(X, np.zeros(4), X, Y)", "train_y: expected a torch.Tensor .* ndarray"),
    ("load", "Dataset(X, Y.float(), X, Y)", r"training labels int64 \[n\]; got torch.float32"),
    ("load", "Dataset(X, Y, X, Y.int())", r"test labels int64 \[n\]; got torch.int32 \[4\]"),
    ("load", "Dataset(X, F.one_hot(Y), X, Y)", r"training labels .* got torch.int64 \[4, 2\]"),
    ("load", "Dataset(X, Y, X, Y - 1)", "expected test labels of at least 0; got -1"),
    ("load", "Dataset(X, Y[:3], X, Y)", "training sample; got 4 samples and 3 labels"),
    ("load", "Dataset(X, Y, X[:0], Y[:0])", "at least one test sample; got 0 samples"),
    ("load", "Dataset(X, Y, X[:, :5], Y)", r"of one shape; got \[4, 16\] and \[4, 5\]"),
    ("load", "Dataset(X, Y, X, Y, lambda x: x.numpy())", "to_input: expected a tensor.*ndarray"),
    ("load", "Dataset(X, Y, X, Y, lambda x: x[:1])", r"to_input: .* \[2, ...\]; got \[1, 16\]"),
    ("load", "Dataset(X, Y, X, Y, lambda x: x.no_such)", r"to_input: AttributeError.*line \d+"),
    ("load", "Dataset(X, Y, X, Y, lambda x: x + torch.rand(1))", "to_input: draws from the gl"),
    ("load", "open('/no/such/file')", r"task='mine.*FileNotFoundError.*mine_\d+.py, line \d+\)"),
]


@pytest.mark.parametrize("function, value, text", RETURNS)
def test_a_wrong_return_is_named_with_what_was_expected_and_what_came(
    function, value, text, problem
):
    code = f"""
    X, Y = torch.zeros(4, 16), torch.arange(4) % 2
    def {function}(*given):
        scores, labels = given if len(given) == 2 else (None, None)
        return {value}
    """
    with pytest.raises(ConfigError, match=text) as refused:
        problem(code, num_workers=2, batch_size=2)
    key = {"net": "model", "load": "task"}.get(function, function)
    assert f"{key}='mine_" in str(refused.value)


def test_a_gradient_that_is_not_finite_is_called_that(problem):
    """Not "draw from no global generator": NaN differs from itself."""
    with pytest.raises(ConfigError, match="the gradient of worker 0 is not finite; expected sam"):
        problem("""
        usual_load = load
        def load(data_dir, download):
            data = usual_load(data_dir, download)
            data.train_x[2:, 3] = float("nan")
            return data
        """)


def test_a_loss_is_checked_in_every_call(problem):
    found = problem("""
    CALLS = []
    def loss(scores, labels):
        CALLS.append(0)
        return F.cross_entropy(scores, labels) if len(CALLS) < 5 else 3.0
    """)
    with pytest.raises(ConfigError, match=f"{EXPECTED_LOSS} float"):
        [found.evaluate(found.initial()) for _ in range(5)]


FUNCTIONAL = {
    "functional dropout": "return self.linear(F.dropout(x, 0.5, self.training))",
    "noise": "return self.linear(x + torch.randn_like(x))",
    "NumPy's noise": "return self.linear(x + np.random.rand())",
    "random's noise": "return self.linear(x + random.random())",
}


@pytest.mark.parametrize("forward", FUNCTIONAL.values(), ids=FUNCTIONAL)
def test_a_model_that_draws_is_refused(forward, problem):
    with pytest.raises(ConfigError, match=r"draws from the global generator of .* use nn.Dropout"):
        problem(f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(16, 2)
            def forward(self, x):
                {forward}
        def net(spec):
            return Net()
        """)


def test_a_model_with_a_generator_of_its_own_is_refused(problem):
    with pytest.raises(ConfigError, match=r"the same gradient .* got two|other scores after"):
        problem("""
        G = torch.Generator()
        class Net(nn.Linear):
            def forward(self, x):
                return super().forward(x + torch.rand(1, generator=G) if self.training else x)
        def net(spec):
            return Net(16, 2)
        """)


# Modules that cannot be imported

BROKEN = {
    "syntax": ("def net(spec)\n    pass\n", r"SyntaxError: .*\(.*mine_\d+.py, line \d+\)"),
    "at import": ("x = 1\ny = 1 / 0\n", r"ZeroDivisionError: .*mine_\d+.py, line \d+\)"),
    "another module": ("import no_such_thing\n", r"No module named 'no_such_thing' \(.*mine_\d+.p"),
    "a name": ("from torch import no_such_name\n", r"ImportError: .*no_such_name.*mine_\d+.py, l"),
}


@pytest.mark.parametrize("code, text", BROKEN.values(), ids=BROKEN)
def test_a_module_that_cannot_be_imported_is_named_with_file_and_line(code, text, problem):
    with pytest.raises(ConfigError, match=f"task='mine_.*{text}"):
        problem(code, usual="")
