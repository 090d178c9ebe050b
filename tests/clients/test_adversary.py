"""What Byzantine workers know of the others, and that it does not matter who computes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

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


def test_a_model_that_was_changed_in_place_is_another_one():
    look, seen = spy("colluders", "gradient")
    adversary, model = Adversary(look, IDS, asked=lambda t: range(WORKERS), seed=3), X.copy()
    rows = [adversary.row(1, X, model, 1, lambda worker: X) for _ in range(2)]
    assert np.array_equal(*rows) and len(seen) == 1
    model += 1
    adversary.row(1, X, model, 1, lambda worker: X)
    assert len(seen) == 2


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
    with pytest.raises(
        KnowledgeError, match=f"expects clients without memory, or an engine .*; got {text}"
    ):
        byzantine(0, gradient, ENCODERS[encoder](), look, momentum=momentum)
    look, _ = spy("own", "gradient")
    byzantine(0, gradient, ENCODERS[encoder](), look, momentum=momentum)


def test_an_engine_that_hosts_all_workers_knows_what_they_remember():
    look, seen = spy("omniscient", "gradient")
    (client, *_) = team(look)
    client.adversary.memories = {w: {"momentum": np.full(N, w, np.float32)} for w in range(WORKERS)}
    client = ByzantineClient(
        1, gradient, client.encoder, client.adversary, client.poisoned, momentum=0.75,
        memory=client.adversary.memories[1],
    )  # fmt: skip
    client.message(X, 2)
    rows = [np.float32(0.75) * w + np.float32(0.25) * gradient(X, w, 2) for w in range(WORKERS)]
    assert np.array_equal(seen[0].own, [rows[w] for w in IDS])
    assert np.array_equal(seen[0].honest, [rows[w] for w in HONEST])
    kept = client.adversary.memories
    assert all(np.array_equal(kept[w]["momentum"], np.full(N, w)) for w in HONEST)  # a look only


def rounds_of(level, stage, workers, encoder="float32"):
    """Three rounds of Byzantine workers with a past; what each saw of it, and what it kept."""
    seen = []

    @attack(knowledge=level, stage=stage, past=True)
    def look(view):
        past = view.past
        seen.append((past.model.copy(), past.direction.copy(), sorted(past.memory)))
        past.memory[f"round-{view.server_round}"] = np.ones(1)
        return view.own + len(past.memory)

    adversary = Adversary(
        look, IDS, asked=lambda t: range(WORKERS), seed=3, lr_at=lambda step: 0.1 * step
    )
    made, memories, sent = ENCODERS[encoder](), {w: {} for w in IDS}, []
    for t in (1, 2, 3):
        for w in workers:
            client = ByzantineClient(
                w, gradient, made, adversary, lambda relabel: gradient, seed=3, memory=memories[w]
            )
            sent.append(client.message(X * t, t))
            memories[w] = client.memory
    return seen, memories, sent


@pytest.mark.parametrize("stage", ["gradient", "message"])
def test_a_worker_knows_the_model_the_last_step_and_what_it_kept(stage):
    seen, memories, _ = rounds_of("own", stage, (4,))
    for t, (model, direction, kept) in zip((1, 2, 3), seen, strict=True):
        assert np.array_equal(model, X * t)
        lr = np.float32(0.1 * max(1, t - 1))  # of step 1 in round 2, of step 2 in round 3
        expected = np.zeros(N) if t == 1 else (X * (t - 1) - X * t) / lr
        assert np.array_equal(direction, expected.astype(np.float32))
        assert kept == [f"round-{k}" for k in range(1, t)]
    assert sorted(memories[4]) == [
        "attack.model", *(f"attack.{__name__}:look.round-{k}" for k in (1, 2, 3))
    ]  # fmt: skip


@pytest.mark.parametrize("level", ["colluders", "omniscient"])
def test_colluders_with_the_same_past_are_computed_once_and_keep_the_same(level):
    seen, memories, sent = rounds_of(level, "gradient", IDS)
    alone, others, apart = rounds_of(level, "gradient", (4,))  # another process hosts the rest
    assert len(seen) == 3 and len(alone) == 3
    assert np.array_equal(sent[1::3], apart)  # 4 is the second of the three
    for w in IDS:
        assert memories[w].keys() == others[4].keys()
        assert all(np.array_equal(memories[w][name], others[4][name]) for name in memories[w])
    kept = [array for memory in memories.values() for array in memory.values()]
    assert not any(np.shares_memory(a, b) for a, b in combinations(kept, 2))


def test_colluders_with_another_past_get_rows_of_their_own():
    """1 was asked in round 1, 4 was not: what the model did since they attacked last differs."""
    directions = []

    @attack(knowledge="colluders", stage="gradient", past=True)
    def look(view):
        directions.append(view.past.direction[0])
        return np.full_like(view.own, view.past.direction[0])

    adversary = Adversary(look, IDS, asked=lambda t: range(WORKERS), seed=3)
    memories = {1: {"attack.model": X + 1}, 4: {}}
    for w, expected in ((1, 1.0), (4, 0.0)):
        client = ByzantineClient(
            w, gradient, ENCODERS["float32"](), adversary, lambda relabel: gradient,
            memory=memories[w],
        )  # fmt: skip
        assert client.message(X, 2) == pytest.approx(np.full(N, expected), abs=1e-6)
    assert len(directions) == 2
