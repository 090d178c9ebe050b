"""What Byzantine workers know of the others, and that it does not matter who computes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from signfed.attacks import Batch, Findings, KnowledgeError, attack, build, craft
from signfed.clients import ENCODERS, Adversary, ByzantineClient, HonestClient
from tests.clients.byzantine import byzantine

N, WORKERS, IDS = 40, 7, (1, 4, 5)
HONEST = (0, 2, 3, 6)
X = np.linspace(-1, 1, N, dtype=np.float32)


def gradient(parameters, worker, server_round):
    draws = np.random.default_rng([worker, server_round]).standard_normal(N, dtype=np.float32)
    return parameters + draws


def spy(knowledge, stage, **declared):
    seen = []

    @attack(knowledge=knowledge, stage=stage, **declared)
    def look(view):
        seen.append(view)
        return -view.own

    return look, seen


def team(chosen, encoder="float32", gradient=gradient, **kept):
    """All Byzantine workers, with one adversary, as in one process."""
    adversary = Adversary(
        chosen, IDS, asked=lambda t: range(WORKERS), seed=3, n_classes=10, truth=lambda x: 2 * x
    )
    made = ENCODERS[encoder]()
    return [
        ByzantineClient(w, gradient, made, adversary, lambda poison: gradient, seed=3, **kept)
        for w in IDS
    ]


def test_own_sees_one_row_colluders_theirs_and_the_omniscient_all():
    rows = {w: gradient(X, w, 2) for w in range(WORKERS)}
    for knowledge, own in (("own", [4]), ("colluders", IDS), ("omniscient", IDS)):
        look, seen = spy(knowledge, "gradient")
        team(look)[1].message(X, 2)
        assert np.array_equal(seen[0].own, np.stack([rows[w] for w in own]))
        assert (seen[0].server_round, seen[0].n_total, len(seen[0].generators)) == (
            2,
            WORKERS,
            len(own),
        )
        if knowledge == "omniscient":
            assert np.array_equal(seen[0].honest, np.stack([rows[w] for w in HONEST]))
        for name in ("honest", "truth", "findings", "ids", "n_classes"):
            if (knowledge, name) != ("omniscient", "honest"):
                with pytest.raises(KnowledgeError, match=f"view.{name} is for"):
                    getattr(seen[0], name)


def test_the_true_gradient_is_for_those_who_declare_it():
    look, seen = spy("omniscient", "gradient", truth=True)
    team(look)[0].message(X, 1)
    assert np.array_equal(seen[0].truth, 2 * X)


def test_the_server_level_knows_what_the_rule_found_and_whose_the_rows_are():
    look, seen = spy("server", "message")
    clients = team(look, "sign")
    clients[0].adversary.findings = found = Findings(accepted=frozenset({0, 2}))
    clients[0].message(X, 4)
    assert seen[0].findings is found
    assert (seen[0].ids, seen[0].honest_ids) == (IDS, HONEST)


@pytest.mark.parametrize("encoder", ["sign", "sto-sign", "noisy-sign", "float32"])
def test_an_attack_on_messages_sees_what_the_server_would_decode(encoder):
    """The honest rows to the bit, drawn noise and coins included."""
    look, seen = spy("omniscient", "message")
    team(look, encoder)[2].message(X, 6)
    made = ENCODERS[encoder]()
    for worker, row in zip((*IDS, *HONEST), (*seen[0].own, *seen[0].honest), strict=True):
        sent = HonestClient(worker, gradient, made, seed=3).message(X, 6)
        assert np.array_equal(made.codec.decode(sent, N), row)


@pytest.mark.parametrize("name", ["lie", "min-max", "byzmean", "mimic", "vote-aware", "omniscient"])
def test_it_does_not_matter_who_computes_it(name):
    """Together in one process, each in its own, and as one call on arrays: the same rows."""
    rows = np.stack([gradient(X, w, 2) for w in range(WORKERS)])
    together = [client.message(X, 2) for client in team(build(name))]
    alone = [team(build(name))[i].message(X, 2) for i in range(len(IDS))]
    called = craft(name, rows[list(IDS)], rows[list(HONEST)], n_total=WORKERS, seed=3, truth=2 * X)
    for a, b, c in zip(together, alone, called, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


def test_all_is_computed_once_a_round_by_the_first_who_asks():
    asked = []

    def counting(parameters, worker, server_round):
        asked.append((worker, server_round))
        return gradient(parameters, worker, server_round)

    clients = team(build("lie"), gradient=counting)
    with ThreadPoolExecutor(3) as pool:
        for server_round in (1, 2):
            list(pool.map(lambda client: client.message(X, server_round), clients))  # noqa: B023
    # Each Byzantine worker its own, and one of them those of all others.
    assert len(asked) == 2 * (len(IDS) + WORKERS - 1)
    again = clients[0].message(X + 1, 2)
    assert not np.array_equal(again, clients[0].message(X, 2))  # other parameters, other rows


def test_who_sits_out_is_honest_and_seen_as_such():
    look, seen = spy("omniscient", "gradient")
    half = type(
        "Half", (type(look),), {"at": lambda self, server_round, seed, ids: (look, ids[:1])}
    )
    first, second, third = team(half(look.function, "omniscient", "gradient"))
    assert np.array_equal(third.message(X, 2), gradient(X, 5, 2))
    assert np.array_equal(second.message(X, 2), gradient(X, 4, 2)) and not seen
    assert np.array_equal(first.message(X, 2), -gradient(X, 1, 2))
    assert np.array_equal(seen[0].honest, np.stack([gradient(X, w, 2) for w in (0, 2, 3, 4, 5, 6)]))


def test_an_attack_gets_copies():
    """What a user's attack does to its view in place reaches nobody else's gradient."""
    rows = {w: gradient(X, w, 1) for w in range(WORKERS)}

    @attack(knowledge="omniscient", stage="gradient")
    def careless(view):
        view.own *= 0
        view.honest *= 0
        return view.own

    team(careless, gradient=lambda parameters, worker, server_round: rows[worker])[0].message(X, 1)
    assert all(np.array_equal(row, gradient(X, w, 1)) for w, row in rows.items())


def test_the_true_gradient_has_to_be_told():
    look, _ = spy("omniscient", "gradient", truth=True)
    with pytest.raises(KnowledgeError, match="needs the true gradient: pass truth to Adversary"):
        byzantine(0, gradient, ENCODERS["float32"](), look, n_total=3).message(X, 1)


def test_labels_are_changed_before_the_gradient_and_by_the_attack():
    labels, used = np.array([0, 3, 9]), []

    def poisoned(poison):
        used.append(poison(Batch(labels)))
        return lambda parameters, worker, server_round: parameters + 100 * worker

    adversary = Adversary(build("label-flip"), (2,), asked=lambda t: range(3), seed=0, n_classes=10)
    client = ByzantineClient(2, gradient, ENCODERS["float32"](), adversary, poisoned)
    assert np.array_equal(client.message(X, 1), X + 200)
    assert used[0].labels.tolist() == [9, 6, 0] and labels.tolist() == [0, 3, 9]
    assert used[0].images is None and used[0].boost == 1.0


@pytest.mark.parametrize(
    "encoder, momentum, text", [("float32", 0.9, "worker momentum"), ("top-k", 0.0, "error feed")]
)
def test_what_only_others_remember_cannot_be_known(encoder, momentum, text):
    look, _ = spy("colluders", "gradient")
    with pytest.raises(KnowledgeError, match=f"expects clients without memory; got {text}"):
        byzantine(0, gradient, ENCODERS[encoder](), look, momentum=momentum)
    look, _ = spy("own", "gradient")
    byzantine(0, gradient, ENCODERS[encoder](), look, momentum=momentum)
