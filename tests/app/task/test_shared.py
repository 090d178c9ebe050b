"""Gradients of one pass of all workers, held to one worker at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from signfed.app.task import MODELS, Dataset, Gradients, build, flatten
from signfed.app.task.activations import saved_bytes, windows_at_once, windows_of
from signfed.app.task.local_steps import LocalSteps
from signfed.app.task.models.pool import MaxPool2d
from signfed.app.task.models.pure import purified
from signfed.app.task.shared import NotShared, SharedGradients, check, conv
from signfed.app.task.shared.graph import COUNTED, KEPT, WARM_UP, Replays
from signfed.strategies.ops.threads import one_thread
from tests.app.task.shared_networks import (
    BY_KEYWORD,
    COMPUTED,
    MIXING,
    OTHERWISE,
    Called,
    Changed,
    Own,
    Windows,
    images,
)  # fmt: skip
from tests.app.task.test_models import small

CPU = torch.device("cpu")
SIZES = (3, 5, 4)


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(n, length=7):
    return torch.randint(0, 11, (n, length), generator=torch.Generator().manual_seed(0))


def gradients_of(model, x, sizes=SIZES, double=True, **options):
    """Of workers with 8 samples each; in float64, where rounding hides nothing."""
    if double:
        model, x = model.double(), x.double() if x.is_floating_point() else x
    y = torch.arange(len(x)) % 3
    data = Dataset(x, y, x, y, to_input=lambda x: x)
    shards = np.arange(8 * len(sizes)).reshape(len(sizes), 8)
    return Gradients(
        purified(model).train(), data, shards, batch_size=sizes, seed=3, device=CPU, **options
    )  # fmt: skip


def both(gradients, server_round=2, **options):
    """(shared, loop), of all workers."""
    start = flatten(gradients.model)
    noise = numbers(len(start), seed=1).to(start.dtype)
    parameters, workers = (start + 0.05 * noise).numpy(), range(len(gradients.batch_sizes))
    shared = SharedGradients(gradients, **options)(parameters, workers, server_round).numpy()
    return shared, np.stack([gradients(parameters, w, server_round) for w in workers])


def assert_same(shared, loop):
    """What the loop returns is float32."""
    assert np.abs(loop).max(axis=1).min() > 1e-4
    np.testing.assert_allclose(shared, loop, rtol=1e-5, atol=1e-7 * np.abs(loop).max())


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("sizes", [SIZES, (4, 4, 4)])
@pytest.mark.parametrize("name", sorted(set(MODELS) - {"text-rnn", "resnet-50", "resnet-18"}))
def test_every_model_has_the_loops_gradients(name, sizes, at_once):
    """The other ResNets are made of the same operations; the form of their size is tried below."""
    if name == "resnet-56" and not at_once:
        pytest.skip("its batch norms are tried on images() in this form")
    spec, x = small(name)
    x = torch.cat([x, x.flip(0)])
    gradients = gradients_of(build(name, spec, 1), x, sizes)
    assert_same(*both(gradients, at_once=at_once, channels_last=at_once))


@pytest.mark.parametrize("name", ["mlp", "fd-cnn", "bft-cnn", "signguard-cnn", "resnet-56"])
def test_in_float32_it_is_the_loop_to_rounding(name):
    spec, x = small(name)
    gradients = gradients_of(build(name, spec, 1), torch.cat([x, x.flip(0)]), double=False)
    shared, loop = both(gradients)
    assert np.linalg.norm(shared - loop) <= 2e-6 * np.linalg.norm(loop)
    large = np.abs(loop) > 1e-6 * np.abs(loop).max()
    assert ((shared >= 0) == (loop >= 0))[large].mean() > 0.999


@pytest.mark.parametrize("channels_last", [False, True])
def test_bfloat16_has_the_shared_form_and_rounds_no_worse_than_the_loop(channels_last):
    def found(precision):
        x = numbers(24, 2, 8, 9)
        gradients = gradients_of(seeded(images_made), x, double=False, precision=precision)
        return both(gradients, channels_last=channels_last, at_once=channels_last)

    (exact, loop), (shared, rounded) = found("float32"), found("bfloat16")
    assert shared.dtype == np.float32
    assert np.linalg.norm(exact - loop) <= 1e-5 * np.linalg.norm(loop)
    error = np.linalg.norm(rounded - loop)
    assert 1e-3 < error / np.linalg.norm(loop) < 0.2
    assert np.linalg.norm(shared - exact) <= 1.5 * error


def images_made():
    torch_model = images()
    torch_model(numbers(2, 2, 8, 9))  # its lazy layer
    return torch_model


CASES = {
    "images": (images_made, lambda: numbers(24, 2, 8, 9)),
    "own": (Own, lambda: tokens(24)),
    "windows": (Windows, lambda: tokens(24)),
}


@pytest.mark.parametrize("sizes", [SIZES, (4, 4, 4)])
@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_layer_has_the_loops_gradients(case, sizes):
    model, x = CASES[case]
    gradients = gradients_of(seeded(model), x(), sizes)
    for options in ({}, {"at_once": True, "channels_last": True}, {"samples": 4}):
        assert_same(*both(gradients, **options))


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


LAYERS = {
    "conv": lambda c: nn.Conv2d(c, 4, 3, padding=1),
    "wide": lambda c: nn.Conv2d(c, 4, 3, stride=2, padding=2, dilation=2, bias=False),
    "groups": lambda c: nn.Conv2d(c, 2 * c, 1, groups=c),
    "back": lambda c: nn.ConvTranspose2d(c, 3, 2),
    "batch": lambda c: nn.BatchNorm2d(c),
    "group": lambda c: nn.GroupNorm(1, c),
    "instance": lambda c: nn.InstanceNorm2d(c, affine=True),
    "slope": lambda c: nn.PReLU(),
    "tanh": lambda c: nn.Tanh(),
    "drop": lambda c: nn.Dropout2d(0.5),
    "pool": lambda c: nn.AvgPool2d(2, 1),
}


@settings(max_examples=15)
@given(
    kinds=st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5),
    sizes=st.lists(st.integers(3, 5), min_size=1, max_size=4),
    at_once=st.booleans(),
)
def test_any_stack_of_layers_has_the_loops_gradients(kinds, sizes, at_once):
    def stack():
        layers, channels, x = [nn.Conv2d(2, 3, 1)], 3, torch.zeros(2, 3, 6, 5)
        for kind in kinds:
            layer = LAYERS[kind](channels)
            if min(layer(x).shape[2:]) >= 2:
                layers.append(layer)
                x = layer(x)
                channels = x.shape[1]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(x[0].numel(), 3))

    gradients = gradients_of(seeded(stack), numbers(8 * len(sizes), 2, 6, 5), tuple(sizes))
    shared, loop = both(gradients, at_once=at_once, samples=7)
    np.testing.assert_allclose(shared, loop, rtol=1e-5, atol=1e-6 * np.abs(loop).max())


@pytest.mark.parametrize("name", BY_KEYWORD)
def test_arguments_may_have_torchs_names(name):
    gradients = gradients_of(seeded(lambda: Called(BY_KEYWORD[name])), numbers(24, 4))
    assert_same(*both(gradients))


# What has no such form


@pytest.mark.parametrize("name", MIXING)
def test_a_network_that_mixes_samples_is_refused(name):
    gradients = gradients_of(seeded(lambda: Changed(MIXING[name])), numbers(24, 4), double=False)
    with pytest.raises(NotShared, match=r"another worker's|mixes samples|used"):
        check(SharedGradients(gradients), flatten(gradients.model).numpy(), (0, 1))


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_parameter_that_is_used_otherwise_is_refused_by_its_name(name):
    model = seeded(lambda: Changed(OTHERWISE[name]))
    gradients = gradients_of(model, numbers(24, 4), double=False)
    with pytest.raises(NotShared, match="extra: used"):
        both(gradients)


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_from_a_parameter_is_refused_by_its_name(name):
    model = seeded(lambda: Called(COMPUTED[name]))
    gradients = gradients_of(model, numbers(24, 4), double=False)
    with pytest.raises(NotShared, match=r"(second|filter|back)\.(weight|bias).*: used by "):
        both(gradients)


def test_arguments_that_a_form_does_not_know_are_torchs_to_take_or_to_refuse():
    scaled = lambda m, x: torch.pow(input=m.scale, exponent=x)  # noqa: E731
    gradients = gradients_of(seeded(lambda: Called(scaled)), numbers(24, 4), double=False)
    with pytest.raises(NotShared, match=r"scale: used by torch\.pow, which has no form"):
        both(gradients)
    wrong = lambda m, x: torch.mul(x, m.scale, 3)  # noqa: E731
    gradients = gradients_of(seeded(lambda: Called(wrong)), numbers(24, 4), double=False)
    with pytest.raises(TypeError, match="mul"):
        both(gradients)


def test_recurrent_networks_say_what_they_lack():
    spec, x = small("text-rnn")
    gradients = gradients_of(build("text-rnn", spec, 1), torch.cat([x, x]), double=False)
    with pytest.raises(NotShared, match=r"rnn.weight_ih_l0.* used by torch.lstm"):
        both(gradients)


def test_rows_that_are_not_one_workers_after_anothers_are_refused():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.last = nn.Linear(2, 4), nn.Linear(8, 3)

        def forward(self, x):  # a row for each (place, sample), places first
            rows = torch.tanh(self.layer(x.view(-1, 2, 2).transpose(0, 1).flatten(0, 1)))
            return self.last(rows.unflatten(0, (2, -1)).transpose(0, 1).flatten(1))

    gradients = gradients_of(seeded(Turned), numbers(24, 4), double=False)
    with pytest.raises(NotShared, match="its first dimension is not theirs"):
        check(SharedGradients(gradients), flatten(gradients.model).numpy(), (0, 1))


def test_what_fits_passes_the_trial_also_where_rounding_is_blown_up():
    spec, x = small("resnet-56")
    gradients = gradients_of(build("resnet-56", spec, 1), torch.cat([x, x]), double=False)
    check(SharedGradients(gradients), flatten(gradients.model).numpy(), (0, 1))


def refused(between, **options):
    """Why such a network is; extra starts at zero."""
    model = seeded(lambda: Changed(between))
    nn.init.zeros_(model.extra)
    gradients = gradients_of(model, numbers(24, 4), double=False, **options)
    with pytest.raises(NotShared, match="gives other gradients") as error:
        check(SharedGradients(gradients), flatten(gradients.model).numpy(), (0, 1))
    return str(error.value)


class Mixing(torch.autograd.Function):
    """Exchanges the slopes of all rows where `when` is true of its input."""

    @staticmethod
    def forward(ctx, x, when):
        ctx.save_for_backward(x)
        ctx.when = when
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.flip(0) if ctx.when(*ctx.saved_tensors) else gradient, None


def test_a_form_that_differs_at_the_start_alone_is_refused():
    at_zero = refused(lambda p, x: x + Mixing.apply(x * p, lambda y: not y.any()))
    assert "at the parameters of the start" in at_zero


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_form_that_differs_in_the_precision_of_the_run_alone_is_refused(precision):
    one = refused(
        lambda p, x: Mixing.apply(x * p + x, lambda y: len(y) > 5 and y.dtype == torch.float32),
        precision=precision,
    )
    assert f"in {precision}, as where" in one


def test_zeros_at_the_start_have_pytorchs_slopes():
    """PReLU of exactly 0: it is on the side of the negative ones."""

    def model():
        layers = nn.Conv2d(1, 4, 3), nn.PReLU(), nn.Flatten(), nn.Linear(256, 3)
        nn.init.zeros_(layers[0].bias)
        return nn.Sequential(*layers)

    x = torch.zeros(24, 1, 10, 10)
    x[:, :, 3:7, 3:7] = numbers(24, 1, 4, 4)
    gradients = gradients_of(seeded(model), x)
    start, workers = flatten(gradients.model).numpy(), range(3)
    loop = np.stack([gradients(start, worker, 1) for worker in workers])
    assert_same(SharedGradients(gradients)(start, workers, 1).numpy(), loop)


def test_several_local_steps_have_no_shared_form():
    steps = {"local": LocalSteps(2, 0.1)}
    gradients = gradients_of(nn.Linear(4, 3), numbers(24, 4), double=False, **steps)
    with pytest.raises(NotShared, match="a model of its own"):
        SharedGradients(gradients)


# Blocks, passes, graphs


@pytest.mark.parametrize("samples", [None, 4])
def test_blocks_are_the_matrix_each_coordinate_once(samples):
    gradients = gradients_of(seeded(Own), tokens(24), double=False)
    unused = nn.Parameter(torch.zeros(5))
    gradients.model.register_parameter("unused", unused)
    parameters = flatten(gradients.model).numpy()
    shared = SharedGradients(gradients, samples=samples)
    rebuilt = np.full((3, len(parameters)), np.nan, np.float32)
    sizes = []

    def consume(rows, columns, block):
        assert np.isnan(rebuilt[rows, columns]).all()
        rebuilt[rows, columns] = block.numpy()
        sizes.append(block.numel())

    shared.hand_over(parameters, (0, 1, 2), 2, consume)
    assert np.array_equal(rebuilt, shared(parameters, (0, 1, 2), 2).numpy())
    assert max(sizes) < rebuilt.size / 2, "the float rows of all workers would be there at once"
    columns = np.flatnonzero(~rebuilt.any(axis=0))
    assert len(columns) >= 5 and not np.isnan(rebuilt).any()


def test_neither_cores_nor_threads_change_a_bit(monkeypatch):
    gradients = gradients_of(images_made(), numbers(24, 2, 8, 9), double=False)
    monkeypatch.setattr("signfed.app.task.shared.gradients.cores", lambda: 3)
    three = both(gradients, samples=4)[0]
    monkeypatch.setattr("signfed.app.task.shared.gradients.cores", lambda: 1)
    with one_thread():
        assert np.array_equal(three, both(gradients, samples=4)[0])


def test_a_users_loss_draws_for_each_worker_as_in_the_loop():
    def loss(scores, labels):
        kept = torch.rand(len(labels)) < 0.6
        return (scores.logsumexp(1) - scores[range(len(labels)), labels])[kept].sum() / len(labels)

    gradients = gradients_of(seeded(lambda: nn.Linear(4, 3)), numbers(24, 4), loss=loss)
    assert_same(*both(gradients))


def test_a_graph_is_captured_after_the_warm_up_and_anew_for_other_shapes():
    captures = []

    def capture(function, given):
        fixed = [tensor.clone() for tensor in given]
        captures.append([tensor.shape for tensor in given])

        def replay(*others):
            for place, tensor in zip(fixed, others, strict=True):
                place.copy_(tensor)
            return function(*fixed)

        return replay

    spec, x = small("signguard-cnn")  # with dropout: masks are new in each round
    gradients = gradients_of(build("signguard-cnn", spec, 1), torch.cat([x, x]), (4, 4, 4))
    eager, graphs = SharedGradients(gradients), SharedGradients(gradients, capture=capture)
    parameters = flatten(gradients.model).numpy()
    for server_round in range(1, WARM_UP + 3):
        for workers in ((0, 1, 2), (2, 0)):
            expected = eager(parameters, workers, server_round)
            assert torch.equal(graphs(parameters, workers, server_round), expected)
        parameters = parameters - 0.1 * expected[0].numpy()
        assert len(captures) == (0 if server_round <= WARM_UP else 2)


def test_a_small_matrix_is_handed_over_as_one_block_so_that_a_graph_makes_it():
    captures = []
    capture = lambda function, given: captures.append(given) or function  # noqa: E731
    spec, x = small("fd-cnn")
    gradients = gradients_of(build("fd-cnn", spec, 1), torch.cat([x, x]), (4, 4, 4), double=False)
    eager, graphs = SharedGradients(gradients), SharedGradients(gradients, capture=capture)
    parameters, workers = flatten(gradients.model).numpy(), (0, 1, 2)
    n = len(parameters)
    for graphs.whole, blocks in (
        (4 * 3 * n, 1),
        (4 * 3 * n - 1, len(list(gradients.model.parameters()))),
    ):
        for server_round in range(1, WARM_UP + 2):
            found, seen = torch.zeros(3, n), []

            def keep(rows, columns, block, found=found, seen=seen):
                found[rows, columns] = block
                seen.append(columns)

            graphs.hand_over(parameters, workers, server_round, keep)
            assert len(seen) == blocks
            assert torch.equal(found, eager(parameters, workers, server_round))
    assert len(captures) == 1


@pytest.mark.parametrize(
    "sizes, samples, asked, graphs",
    [
        ((4, 4, 4), 12, (0, 1, 2), 1),
        ((4, 4, 4), 11, (0, 1, 2), 0),  # cut into passes, whose graphs would take more than one
        ((4, 4, 4), 8, (0, 2), 0),  # other rounds may ask more, and have other graphs
        ((4, 4, 8), 16, (0, 1, 2), 1),
        ((4, 4, 8), 16, (0, 2), 0),
        ((4, 4, 8), 12 * (KEPT + 1), (0, 2), 1),
    ],
)
def test_graphs_take_no_more_than_one_pass_may(sizes, samples, asked, graphs):
    captures = []
    capture = lambda function, given: captures.append(given) or function  # noqa: E731
    gradients = gradients_of(seeded(lambda: nn.Linear(4, 3)), numbers(24, 4), sizes)
    eager = SharedGradients(gradients, samples=samples)
    ours = SharedGradients(gradients, samples=samples, capture=capture)
    parameters = flatten(gradients.model).numpy()
    for server_round in range(1, WARM_UP + 2):
        expected = eager(parameters, asked, server_round)
        assert torch.equal(ours(parameters, asked, server_round), expected)
    assert len(captures) == graphs


def test_a_round_of_a_graph_has_no_matrix_besides(monkeypatch):
    """Its own, which it hands over: the engine counts on that."""
    gradients = gradients_of(seeded(lambda: nn.Linear(4, 3)), numbers(24, 4))
    replayed = torch.ones(3, 15)
    ours = SharedGradients(gradients, capture=lambda function, given: lambda *of: replayed)
    parameters = flatten(gradients.model).numpy()
    for server_round in range(1, WARM_UP + 1):
        ours(parameters, (0, 1, 2), server_round)
    monkeypatch.setattr("signfed.app.task.shared.gradients.torch.empty", None)
    assert ours(parameters, (0, 1, 2), WARM_UP + 1) is replayed


@pytest.mark.parametrize(
    "error, said",
    [
        (RuntimeError("not permitted\nwhen capturing"), "no CUDA graph of this network (not perm"),
        (torch.cuda.OutOfMemoryError("tried to allocate"), "no room for a CUDA graph (tried to"),
    ],
)
def test_what_cannot_be_captured_runs_as_it_is(error, said, caplog):
    tries = []

    def fails(function, given):
        tries.append(given)
        raise error

    replays = Replays(fails)
    with caplog.at_level("INFO", "signfed"):
        for _ in range(WARM_UP + 3):
            assert replays("key", torch.neg, [torch.ones(2)]).tolist() == [-1, -1]
    assert len(tries) == 1 and said in caplog.text


@pytest.mark.parametrize("shapes", [KEPT, KEPT + 1, 2 * KEPT])
def test_the_first_shapes_are_captured_and_stay(shapes):
    captures = []
    replays = Replays(lambda function, given: captures.append(given) or function)
    for _ in range(20):
        for length in range(shapes):
            assert len(replays("key", torch.neg, [torch.ones(length)])) == length
    assert len(captures) == len(replays._kept) == KEPT


def test_calls_are_counted_of_few_shapes():
    replays = Replays(lambda function, given: function)
    for length in range(2 * COUNTED):
        replays("key", torch.neg, [torch.ones(length)])
        replays("key", torch.neg, [torch.ones(0)])  # one that comes again is not forgotten
    assert len(replays._calls) <= COUNTED and len(replays._kept) == 1


def test_memory_is_counted_by_sample():
    model = nn.Sequential(nn.Linear(4, 1000, bias=False), nn.Tanh(), nn.Linear(1000, 3))
    each = saved_bytes(model, numbers(8, 4))
    assert 8000 <= each < 9000  # tanh's output and its gradient, float32, and small change


NORMS = {
    "layer": lambda: nn.LayerNorm((4, 9, 9)),
    "group": lambda: nn.GroupNorm(2, 4),
    "instance": lambda: nn.InstanceNorm2d(4, affine=True),
    "batch": lambda: nn.BatchNorm2d(4, track_running_stats=False),
}


@pytest.mark.parametrize("name", NORMS)
def test_memory_is_counted_of_the_forms_that_a_pass_takes(name):
    made = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(2, 4, 2), NORMS[name](), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 81, 3)
    )
    gradients = gradients_of(seeded(made), numbers(24, 2, 10, 10), (4, 4, 4), double=False)
    start, kept = flatten(gradients.model), {}

    def note(saved):
        size = saved.untyped_storage().nbytes()
        if size != start.nbytes:  # all parameters are views of one
            kept[saved.untyped_storage().data_ptr()] = size
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        SharedGradients(gradients)(start.numpy(), (0, 1, 2), 1)
    each = saved_bytes(gradients.model, gradients.samples(np.arange(2))[0])
    assert sum(kept.values()) / 12 <= each <= 1.1 * (sum(kept.values()) + max(kept.values())) / 12


@pytest.mark.parametrize("room", [1 << 29, 40_000])
def test_the_windows_of_convolutions_are_counted(room, monkeypatch):
    """Those that a pass writes down at a time; none of a convolution in groups or a large one."""
    made = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 5, 3, groups=2), nn.Conv2d(4, 2, 1),
        nn.Conv2d(2, 2, (3, 1), padding="same"), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    gradients = gradients_of(seeded(made), numbers(24, 2, 10, 10), (4, 4, 4), double=False)
    written, windows = [], conv._windows
    monkeypatch.setattr("signfed.app.task.activations.ROOM", room)
    monkeypatch.setattr(conv, "ROOM", room)
    monkeypatch.setattr(
        conv, "_windows", lambda *given: written.append(windows(*given)) or written[-1]
    )
    SharedGradients(gradients, at_once=True)(flatten(gradients.model).numpy(), (0, 1, 2), 1)
    each = windows_of(gradients.model, gradients.samples(np.arange(2))[0])
    assert each == 4 * 18 * 100
    most = max(part.untyped_storage().nbytes() for part in written)
    assert most == (12 * each if room > 12 * each else 4 * each)
    assert most <= windows_at_once(4 * each, 3) <= max(most, room)
    monkeypatch.setattr(conv, "SMALL", 0)
    assert windows_of(gradients.model, gradients.samples(np.arange(2))[0]) == 0


# The pool


@pytest.mark.parametrize("window", [(2,), (3, 2, 1), (3, 1, 1, 2, False, True)])
@pytest.mark.parametrize("shape", [(3, 9, 7, 5), (2, 8, 12, 12), (2, 3, 8, 8), (9, 7, 5)])
def test_the_pool_is_pytorchs_to_the_bit(window, shape):
    x = numbers(*shape)
    x[..., :3] = x[..., :3].round().relu()  # equal values: the first one counts
    x = x.requires_grad_()
    for gradient in (numbers(60), torch.ones(60)):
        found = []
        for pool in (nn.MaxPool2d(*window), MaxPool2d(*window)):
            y = pool(x)
            slope = gradient.repeat(y.numel() // 60 + 1)[: y.numel()].view(y.shape)
            found.append((y, *torch.autograd.grad(y, x, slope)))
        assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_pools_are_exchanged_and_users_own_are_not():
    class Mine(nn.MaxPool2d):
        pass

    model = purified(nn.Sequential(nn.MaxPool2d(2), Mine(2)))
    assert [type(pool) for pool in model] == [MaxPool2d, Mine]
    pooled = torch.func.vmap(lambda x: model[0](x))(numbers(3, 2, 8, 6, 6))
    assert torch.equal(pooled[1], nn.MaxPool2d(2)(numbers(3, 2, 8, 6, 6)[1]))
