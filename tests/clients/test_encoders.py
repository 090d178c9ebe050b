"""Each encoder by its definition, and what a worker remembers."""

import doctest
import inspect
from statistics import NormalDist

import numpy as np
import pytest

from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS, HonestClient
from tests.clients.byzantine import byzantine

DRAWS = 20_000
GRADIENT = np.array([0.5, -0.25, 0.0, -0.0, 2.0, -3.0, 1e-3, -1e-3, 0.125, -1.0], np.float32)


def random(seed=0):
    return np.random.default_rng(seed)


def prepared(name, vector, **options):
    """What the codec gets."""
    return ENCODERS[name](**options).prepare(vector, random())


def client(encoder, *gradients, worker=0, seed=0, **keywords):
    """A worker whose gradient of round t is the t-th one, or always the only one."""

    def gradient(parameters, worker, server_round):
        given = gradients[server_round - 1] if len(gradients) > 1 else gradients[0]
        return np.array(given, np.float32)

    return HonestClient(worker, gradient, encoder, seed=seed, **keywords)


def send(honest, n_coordinates, server_round=1):
    """What the server decodes."""
    (row,), _, _ = honest.fit([np.zeros(n_coordinates, np.float32)], {"round": server_round})
    codec = honest.encoder.codec
    assert codec.fault(row, n_coordinates) is None
    return codec.decode(row, n_coordinates)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_leave_their_input_and_return_a_valid_row(name):
    encoder, vector, memory = ENCODERS[name](), GRADIENT.copy(), np.ones(10, np.float32)
    vector.flags.writeable = memory.flags.writeable = False
    row, left = encoder.encode(vector, memory, random)
    assert len(row) == encoder.codec.length(10) and encoder.codec.fault(row, 10) is None
    assert vector.tobytes() == GRADIENT.tobytes() and memory.tolist() == [1.0] * 10
    assert (left is not None) == (name == "top-k")


@pytest.mark.parametrize(
    "name, options",
    [("sto-sign", {"scale": value}) for value in (0.0, -1.0, np.nan, np.inf)]
    + [("probit", {"range": value}) for value in (0.0, -1.0, np.nan, np.inf)]
    + [("noisy-sign", {"std": value}) for value in (-1e-3, np.nan, np.inf)]
    + [("top-k", {"fraction": value}) for value in (0.0, -0.1, 1.5, np.nan)],
)
def test_impossible_options_are_refused(name, options):
    (key,) = options
    with pytest.raises(ValueError, match=f"{key}: expected a .*number"):
        ENCODERS[name](**options)


@pytest.mark.parametrize("scale", [0.012, 1.0])
@pytest.mark.parametrize("ratio", [-3.0, -1.0, -0.5, -0.125, 0.0, 0.25, 0.75, 1.0, 40.0])
def test_stochastic_signs_average_to_the_clipped_gradient(scale, ratio):
    """E[output] = clip(g) / b, within 5 binomial standard errors; certain from |g| = b on."""
    vector = np.full(DRAWS, ratio * scale, np.float32)
    signs = prepared("sto-sign", vector, scale=scale)
    assert signs.dtype == np.float32 and set(signs) <= {1.0, -1.0}
    mean = np.clip(ratio, -1, 1)
    sigma = ((1 - mean**2) / DRAWS) ** 0.5
    # 1e-3: b and g are rounded to float32, so |g| = b may miss certainty by a rounding error.
    assert signs.mean() == pytest.approx(mean, abs=5 * sigma + 1e-3)


@pytest.mark.parametrize("b", [0.25, 3.0])
def test_probit_sends_the_same_coins_and_they_are_read_as_the_range(b):
    vector = random().standard_normal(DRAWS).astype(np.float32)
    probit, coins = ENCODERS["probit"](range=b), ENCODERS["sto-sign"](scale=b)
    (row, _), (same, _) = (encoder.encode(vector, None, random) for encoder in (probit, coins))
    assert row.tobytes() == same.tobytes()
    values = probit.codec.decode(row, DRAWS)
    assert values.dtype == np.float32
    assert values.tolist() == (np.float32(b) * coins.codec.decode(row, DRAWS)).tolist()
    cut = np.clip(vector, -b, b)
    assert values.mean() == pytest.approx(cut.mean(), abs=5 * b / DRAWS**0.5)


def test_coordinates_are_drawn_one_by_one():
    signs = prepared("sto-sign", np.zeros(DRAWS, np.float32), scale=1.0)
    pairs = np.mean(signs[1:] * signs[:-1])
    assert abs(pairs) < 5 / DRAWS**0.5


def test_a_tiny_scale_recovers_the_sign():
    vector = random().standard_normal(1000).astype(np.float32)
    assert np.array_equal(prepared("sto-sign", vector, scale=1e-30), np.sign(vector))


@pytest.mark.parametrize("scale", [1e-30, 0.012, 100.0])
def test_a_zero_is_a_fair_coin_whatever_the_scale(scale):
    for zero in (0.0, -0.0):
        signs = prepared("sto-sign", np.full(DRAWS, zero, np.float32), scale=scale)
        assert abs(signs.mean()) < 5 / DRAWS**0.5


@pytest.mark.parametrize("std", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("value", [1.0, -0.25])
def test_noise_turns_signs_round_as_often_as_it_should(std, value):
    """Phi(-|g| / std), within 5 binomial standard errors."""
    noisy = prepared("noisy-sign", np.full(DRAWS, value, np.float32), std=std)
    assert noisy.dtype == np.float32
    rate = NormalDist().cdf(-abs(value) / std)
    sigma = (rate * (1 - rate) / DRAWS) ** 0.5
    assert np.mean(np.sign(noisy) != np.sign(value)) == pytest.approx(rate, abs=5 * sigma)


def test_an_exact_zero_is_plus_one_or_a_fair_coin():
    vector = np.tile(np.array([0.0, -0.0, 2.0, -3.0], np.float32), DRAWS)
    before = vector.tobytes()

    def values(**options):
        encoder = ENCODERS["sign"](**options)
        row, _ = encoder.encode(vector, None, random)
        return encoder.codec.decode(row, len(vector)).reshape(-1, 4)

    assert values().tolist() == values(zero="plus").tolist() == [[1, 1, 1, -1]] * DRAWS
    coins = values(zero="random")
    assert coins[:, 2:].tolist() == [[1, -1]] * DRAWS and vector.tobytes() == before
    sigma = (2 * DRAWS) ** -0.5
    assert coins[:, :2].mean() == pytest.approx(0.0, abs=5 * sigma)


def test_without_noise_it_is_the_sign():
    assert prepared("noisy-sign", GRADIENT, std=0.0).tolist() == GRADIENT.tolist()
    quiet, _ = ENCODERS["noisy-sign"](std=0.0).encode(GRADIENT, None, random)
    plain, _ = ENCODERS["sign"]().encode(GRADIENT, None, random)
    assert quiet.tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    "name, options",
    [("sto-sign", {"scale": 1.0}), ("probit", {"range": 1.0}), ("noisy-sign", {"std": 1.0})],
)
def test_what_is_sent_depends_on_seed_worker_and_round_alone(name, options):
    def bits(seed, worker, server_round):
        drawn = client(ENCODERS[name](**options), np.zeros(64), worker=worker, seed=seed)
        return send(drawn, 64, server_round).tobytes()

    assert bits(0, 1, 2) == bits(0, 1, 2)
    others = {bits(0, 1, 2), bits(1, 1, 2), bits(0, 2, 2), bits(0, 1, 3), bits(0, 2, 1)}
    assert len(others) == 5


@pytest.mark.parametrize("name", ["sto-sign", "noisy-sign"])
def test_rounds_in_any_order_and_twice(name):
    one = client(ENCODERS[name](), GRADIENT)
    forwards = {server_round: send(one, 10, server_round).tobytes() for server_round in (1, 2, 3)}
    for server_round in (3, 1, 2, 2):
        assert send(one, 10, server_round).tobytes() == forwards[server_round]


@pytest.mark.parametrize("name", ["sign", "sto-sign", "noisy-sign", "float32"])
def test_only_what_needs_a_memory_keeps_one(name):
    forgetful = client(ENCODERS[name](), GRADIENT)
    send(forgetful, 10)
    assert forgetful.memory == {}


def test_what_is_not_sent_is_remembered():
    """N = 4, K = 1; by hand."""
    gradients = [(4.0, 3.0, 1.0, 0.0), (0.0, 0.0, 1.5, -2.0), (1.0, -1.0, 0.0, 0.0)]
    keeper = client(ENCODERS["top-k"](fraction=0.25), *gradients)
    assert send(keeper, 4, 1).tolist() == [4, 0, 0, 0]
    assert keeper.memory["error"].tolist() == [0, 3, 1, 0]
    assert send(keeper, 4, 2).tolist() == [0, 3, 0, 0]  # of (0, 3, 2.5, -2)
    assert keeper.memory["error"].tolist() == [0, 0, 2.5, -2]
    assert send(keeper, 4, 3).tolist() == [0, 0, 2.5, 0]  # of (1, -1, 2.5, -2)
    assert keeper.memory["error"].tolist() == [1, -1, 0, -2]


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 1.0])
def test_nothing_is_ever_lost_with_error_feedback(fraction):
    """Sent so far + memory = gradients so far; eighths below 2^10 add up exactly in float32."""
    gradients = random().integers(-100, 100, (40, 50)) / 8
    keeper, sent = client(ENCODERS["top-k"](fraction=fraction), *gradients), np.zeros(50)
    for server_round in range(1, 41):
        sent += send(keeper, 50, server_round)
        assert np.array_equal(sent + keeper.memory["error"], gradients[:server_round].sum(0))
    assert (fraction == 1.0) == (not keeper.memory["error"].any())


def test_a_constant_gradient_gets_through_in_every_coordinate():
    """What is held back stays below (N/K - 1) ||g||_1: each round sends at least K/N of it."""
    constant = np.array([8.0, -4.0, 2.0, -1.0])
    keeper, sent = client(ENCODERS["top-k"](fraction=0.25), constant), np.zeros(4)
    for server_round in range(1, 201):
        sent += send(keeper, 4, server_round)
        assert np.abs(keeper.memory["error"]).sum() <= 3 * 15
    assert sent / 200 == pytest.approx(constant, abs=45 / 200)
    assert sent[3] < -150  # without memory it would be 0


def test_a_round_without_the_worker_leaves_its_memory():
    """The server asks for round 1 and 3 only."""
    gradients = [(4.0, 3.0), (9.0, 9.0), (1.0, 1.0)]
    keeper = client(ENCODERS["top-k"](fraction=0.5), *gradients)
    send(keeper, 2, 1)
    assert send(keeper, 2, 3).tolist() == [0, 4]
    assert keeper.memory["error"].tolist() == [1, 0]


def test_momentum_by_hand():
    """u = (u + g) / 2 from u = 0; exact in binary."""
    gradients = [(4.0, -8.0), (2.0, 2.0), (-6.0, 1.0)]
    signum = client(ENCODERS["float32"](), *gradients, momentum=0.5)
    sent = [send(signum, 2, server_round).tolist() for server_round in (1, 2, 3)]
    assert sent == [[2, -4], [2, -1], [-2, 0]]
    assert signum.memory["momentum"].tolist() == [-2, 0]


def test_momentum_formula():
    gradients, u = random().standard_normal((3, 20)).astype(np.float32), np.zeros(20)
    signum = client(ENCODERS["float32"](), *gradients, momentum=0.9)
    for server_round, gradient in enumerate(gradients, 1):
        u = 0.9 * u + 0.1 * gradient
        assert send(signum, 20, server_round) == pytest.approx(u, rel=1e-5, abs=1e-7)


def test_momentum_comes_before_the_encoder_and_its_memory():
    """K = 1 of 2: round 1 sends u = (2, -4)'s second, round 2 holds (2, -1) + (2, 0)."""
    gradients = [(4.0, -8.0), (2.0, 2.0)]
    both = client(ENCODERS["top-k"](fraction=0.5), *gradients, momentum=0.5)
    assert send(both, 2, 1).tolist() == [0, -4]
    assert send(both, 2, 2).tolist() == [4, 0]
    assert both.memory["momentum"].tolist() == [2, -1]
    assert both.memory["error"].tolist() == [0, -1]


def test_a_memory_that_was_handed_in_is_replaced_and_not_changed():
    given = {"momentum": np.array([2.0, -4.0], np.float32), "error": np.ones(2, np.float32)}
    for array in given.values():
        array.flags.writeable = False  # as it comes out of a node's state
    keeper = client(ENCODERS["top-k"](fraction=0.5), (2.0, 2.0), momentum=0.5, memory=given)
    # u = (2, -1), with what was left (3, 0)
    assert send(keeper, 2).tolist() == [3, 0]
    assert keeper.memory["momentum"].tolist() == [2, -1]
    assert keeper.memory["error"].tolist() == [0, 0]
    assert set(given) == {"momentum", "error"}
    assert given["momentum"].tolist() == [2, -4] and given["error"].tolist() == [1, 1]


def test_a_worker_goes_on_from_the_memory_of_another_object():
    """A node makes a new client every round."""
    gradients = random(3).standard_normal((6, 30))
    encoder, options = ENCODERS["top-k"](fraction=0.2), {"momentum": 0.9}
    whole = client(encoder, *gradients, **options)
    memory = {}
    for server_round in range(1, 7):
        part = client(encoder, *gradients, memory=memory, **options)
        assert send(part, 30, server_round).tobytes() == send(whole, 30, server_round).tobytes()
        memory = part.memory


def test_a_byzantine_worker_keeps_an_honest_memory_and_inverts_what_it_would_send():
    """Sign inversion strikes on the decoded row, so nothing leaks through the error memory."""
    gradients = [(4.0, 3.0, 1.0, 0.0), (0.0, 0.0, 1.5, -2.0)]
    encoder, inversion = ENCODERS["top-k"](fraction=0.25), ATTACKS["sign-inversion"]
    honest = client(encoder, *gradients, momentum=0.5)
    inverted = byzantine(0, honest.gradient, encoder, inversion, momentum=0.5)
    for server_round in (1, 2):
        assert send(inverted, 4, server_round).tolist() == (-send(honest, 4, server_round)).tolist()
    for name in ("momentum", "error"):
        assert inverted.memory[name].tobytes() == honest.memory[name].tobytes()


@pytest.mark.parametrize(
    "name, options",
    [("sto-sign", {"scale": 4.0}), ("probit", {"range": 4.0}), ("noisy-sign", {"std": 4.0})],
)
def test_what_a_byzantine_worker_sends_is_not_drawn_a_second_time(name, options):
    honest = client(ENCODERS[name](**options), np.ones(200))
    inversion = ATTACKS["sign-inversion"]
    inverted = byzantine(0, honest.gradient, honest.encoder, inversion)
    assert send(inverted, 200).tolist() == (-send(honest, 200)).tolist()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_costs_its_round_and_nothing_else(broken):
    encoder, draws = ENCODERS["top-k"](fraction=0.5), random
    good, bad = np.float32([1, 2, 3, 4]), np.float32([broken, 2, 3, 4])
    _, memory = encoder.encode(good, None, draws)
    row, kept = encoder.encode(bad, memory, draws)
    assert encoder.codec.fault(row, 4) == "non-finite"
    assert kept is memory and memory.tolist() == [1, 2, 0, 0]

    kept = client(encoder, good, bad, momentum=0.5)
    send(kept, 4, 1)
    before = dict(kept.memory)
    assert kept.message(np.zeros(4, np.float32), 2) is None
    assert kept.memory.keys() == before.keys() == {"momentum", "error"}
    assert all(kept.memory[name] is before[name] for name in before)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_nothing_is_sent_for_a_gradient_that_is_not_finite(name, broken):
    """On a sign channel NaN would be a vote for -1."""
    honest = client(ENCODERS[name](), [1.0, broken, 3.0])
    assert honest.fit([np.zeros(3, np.float32)], {"round": 1}) == ([], 1, {})


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_has_an_example_that_is_true(name):
    function = inspect.unwrap(ENCODERS[name])
    globs = dict(function.__globals__)
    (example,) = doctest.DocTestFinder().find(function, name, globs=globs)
    done = doctest.DocTestRunner().run(example)
    assert done.attempted and not done.failed


@pytest.mark.parametrize("scale, p_plus", [(1e-50, 1.0), (1e38, 0.5), (1e300, 0.5)])
def test_extreme_scales_are_a_sign_or_a_coin(scale, p_plus):
    sent = prepared("sto-sign", np.ones(10_000, np.float32), scale=scale)
    assert (sent > 0).mean() == pytest.approx(p_plus, abs=0.02)


def test_what_is_sent_is_not_what_is_kept():
    client = HonestClient(0, lambda *_: np.ones(3, np.float32), ENCODERS["float32"](), momentum=0.5)
    row = client.message(np.zeros(3, np.float32), 1)
    row[:] = 99
    assert client.memory["momentum"].tolist() == [0.5] * 3
