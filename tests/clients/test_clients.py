import numpy as np
import pytest
from flwr.client import NumPyClient

from signfed.attacks import ATTACKS, attack, build
from signfed.clients import ByzantineClient, Encoder, HonestClient
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.seeds import generator
from tests.clients.byzantine import byzantine

SIGN, FLOAT32 = CODECS["sign"], CODECS["float32"]
PARAMETERS = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 0.0], np.float32)


def gradient(parameters, worker, server_round):
    """Depends on all three, and holds exact zeros of both signs."""
    return (parameters * (worker + 1) * server_round).astype(np.float32)


def send(client, server_round=2):
    (row,), examples, metrics = client.fit([PARAMETERS], {"round": server_round})
    assert (examples, metrics) == (1, {})  # a robust rule does not ask a client for its weight
    return row


def attacker(name_or_attack, codec, *, worker=3, seed=0, **options):
    chosen = ATTACKS[name_or_attack] if isinstance(name_or_attack, str) else name_or_attack
    return byzantine(worker, gradient, Encoder(codec), chosen.bind(**options), seed=seed)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_an_honest_client_encodes_its_gradient_of_the_round(codec):
    for worker, server_round in ((0, 1), (3, 2)):
        row = send(HonestClient(worker, gradient, Encoder(codec)), server_round)
        assert row.dtype == codec.dtype
        assert row.tobytes() == codec.encode(gradient(PARAMETERS, worker, server_round)).tobytes()


def test_clients_are_flowers_numpy_clients():
    assert issubclass(HonestClient, NumPyClient)
    assert issubclass(ByzantineClient, HonestClient)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_byzantine_client_without_an_attack_is_honest(codec):
    assert (
        send(attacker("none", codec)).tobytes()
        == send(HonestClient(3, gradient, Encoder(codec))).tobytes()
    )


def test_sign_inversion_flips_every_bit_also_of_zeros():
    """Negating the gradient instead would leave the bits of 0.0, 1 for both signs of zero."""
    honest, inverted = (SIGN.decode(send(c), 10) for c in (
        HonestClient(3, gradient, Encoder(SIGN)), attacker("sign-inversion", SIGN),
    ))  # fmt: skip
    assert np.array_equal(inverted, -honest)
    assert SIGN.fault(send(attacker("sign-inversion", SIGN)), 10) is None


def test_sign_inversion_of_floats_negates_them():
    assert np.array_equal(send(attacker("sign-inversion", FLOAT32)), -gradient(PARAMETERS, 3, 2))


def test_a_gradient_attack_strikes_before_compression_a_message_attack_after():
    seen = {}

    def spy(stage):
        @attack(knowledge="own", stage=stage)
        def function(view, *, factor=1.0):
            seen[stage] = view
            return view.own * np.float32(factor)

        return function

    for stage in ("gradient", "message"):
        send(attacker(spy(stage), SIGN, factor=-1.0))
    own = gradient(PARAMETERS, 3, 2)
    assert np.array_equal(seen["gradient"].own, own[None])
    assert np.array_equal(seen["message"].own, SIGN.decode(SIGN.encode(own), 10)[None])
    assert all(view.n_total == 5 and view.server_round == 2 for view in seen.values())


def test_gaussian_noise_is_compressed_like_a_gradient():
    noise = send(attacker("gaussian", FLOAT32, std=2.0))
    assert send(attacker("gaussian", SIGN, std=2.0)).tobytes() == SIGN.encode(noise).tobytes()
    assert np.array_equal(noise, 2.0 * send(attacker("gaussian", FLOAT32, std=1.0)))


@pytest.mark.parametrize("name", ["gaussian", "stochastic-sign-flip"])
def test_what_is_sent_depends_on_seed_worker_and_round_alone(name):
    def bits(seed, worker, server_round):
        # One gradient for all: the difference must come from the attack's own draws.
        ones = lambda *_: np.ones(64, np.float32)  # noqa: E731
        client = byzantine(worker, ones, Encoder(SIGN), ATTACKS[name], seed=seed)
        return send(client, server_round).tobytes()

    assert bits(0, 1, 2) == bits(0, 1, 2)
    others = {bits(0, 1, 2), bits(1, 1, 2), bits(0, 2, 2), bits(0, 1, 3), bits(0, 2, 1)}
    assert len(others) == 5


def test_rounds_in_any_order_and_twice():
    forwards, backwards = attacker("gaussian", FLOAT32), attacker("gaussian", FLOAT32)
    rows = {server_round: send(forwards, server_round).tobytes() for server_round in (1, 2, 3)}
    for server_round in (3, 1, 2, 2):
        assert send(backwards, server_round).tobytes() == rows[server_round]


def test_an_impossible_option_fails_when_it_is_used():
    with pytest.raises(ValueError, match=r"probability: expected a number in \[0, 1\]; got 2.0"):
        send(attacker("stochastic-sign-flip", SIGN, probability=2.0))


NAN = np.array([1.0, np.nan, 3.0], np.float32)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize(
    "name, sends",
    [
        ("none", False), ("sign-flip", False), ("noise", False), ("sign-inversion", False),
        ("gaussian", True), ("directional", True), ("colluding-majority", True),
    ],
)  # fmt: skip
def test_a_byzantine_worker_whose_gradient_is_not_finite_sends_what_its_attack_makes(
    name, sends, codec
):
    """If it is a number: NaN made of NaN is no more sent than by an honest worker."""
    if name == "colluding-majority" and codec.name == "top-k":
        codec = SIGN
    row = byzantine(3, lambda *_: NAN, Encoder(codec), ATTACKS[name]).message(NAN, 2)
    assert (row is not None) == sends
    assert row is None or codec.fault(row, 3) is None


def test_infinity_has_a_sign():
    infinite = attack(knowledge="own", stage="gradient")(lambda view: view.own * np.inf)
    row = byzantine(3, lambda *_: np.float32([1, -2]), Encoder(SIGN), infinite).message(NAN[:2], 2)
    assert SIGN.decode(row, 2).tolist() == [1, -1]


def test_a_row_that_is_not_finite_is_seen_as_nan_by_the_omniscient():
    seen = []
    for stage in ("gradient", "message"):

        @attack(knowledge="omniscient", stage=stage)
        def look(view):
            seen.append(view.honest)
            return view.own

        def broken(parameters, worker, server_round):
            return NAN if worker == 1 else np.ones(3, np.float32)

        byzantine(0, broken, Encoder(SIGN), look, n_total=3).message(NAN, 1)
    for honest in seen:
        assert np.isnan(honest[0]).all() and honest[1].tolist() == [1, 1, 1]


def test_the_parameters_are_left_alone():
    before = PARAMETERS.tobytes()
    for name in ATTACKS:
        if build(name).knowledge == "own":
            send(attacker(name, FLOAT32))
    assert PARAMETERS.tobytes() == before


def draws(*arguments):
    return generator(*arguments).random(4).tolist()


def test_generators_are_pure():
    state = np.random.get_state()[1].tolist()
    assert draws(0, "batch", 1, 2) == draws(0, "batch", 1, 2)
    interleaved = generator(0, "batch", 1, 2), generator(0, "attack", 1, 2)
    taken = [g.random() for _ in range(4) for g in interleaved]
    assert taken[::2] == draws(0, "batch", 1, 2) and taken[1::2] == draws(0, "attack", 1, 2)
    assert np.random.get_state()[1].tolist() == state


def test_every_purpose_and_key_has_a_stream_of_its_own():
    streams = [
        draws(seed, purpose, worker, server_round)
        for seed in (0, 1)
        for purpose in ("batch", "attack", "partition")
        for worker in (0, 1, 2)
        for server_round in (1, 2, 3)
    ]
    assert len({tuple(stream) for stream in streams}) == len(streams) == 54
