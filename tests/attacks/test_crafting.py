"""One call of an attack on arrays: what goes in, and what reaches the attack."""

import numpy as np
import pytest
import torch

from signfed.attacks import ATTACKS, Findings, KnowledgeError, attack, craft, knows
from tests.attacks.inputs import OWN, randn


@pytest.mark.parametrize("knowledge", ["own", "colluders", "omniscient", "server"])
def test_honest_rows_reach_only_who_declared_to_need_them(knowledge, monkeypatch):
    seen = []

    @attack(knowledge=knowledge, stage="gradient")
    def spy(view, *, factor=1.0):
        seen.append(view)
        return factor * view.own

    monkeypatch.setitem(ATTACKS, "spy", spy)
    honest = randn(3, 4)
    sent = craft("spy", OWN, honest, n_total=5, seed=0, factor=2.0)
    (view,) = seen
    assert np.array_equal(sent, 2 * OWN)
    allowed = {"own": (), "colluders": (), "omniscient": ("honest",)}
    fields = ("honest", "findings", "ids", "honest_ids")
    for field in (*fields, "truth", "n_classes"):
        if field in allowed.get(knowledge, fields):
            assert getattr(view, field) is not None
        else:
            with pytest.raises(KnowledgeError, match=rf"view\.{field} is for attacks that"):
                getattr(view, field)
    if knows(knowledge, "omniscient"):
        assert np.array_equal(view.honest, honest)
    if knowledge == "server":
        assert (view.findings, view.ids, view.honest_ids) == (Findings(), (0, 1), (2, 3, 4))
    assert view.n_total == 5 and len(view.generators) == 2


def test_missing_honest_rows_are_an_error(monkeypatch):
    @attack(knowledge="omniscient", stage="gradient")
    def greedy(view):
        return view.honest[: len(view.own)]

    monkeypatch.setitem(ATTACKS, "greedy", greedy)
    with pytest.raises(ValueError, match="'greedy' needs the honest rows"):
        craft("greedy", OWN, n_total=5, seed=0)


FORMS = {
    "lists of numbers": np.ndarray.tolist,
    "lists of arrays": list,
    "tuples": tuple,
    "tensor": torch.from_numpy,
    "lists of tensors": lambda rows: list(torch.from_numpy(rows)),
    "with a gradient": lambda rows: torch.from_numpy(rows).requires_grad_(),
    "float64": lambda rows: torch.from_numpy(rows).double(),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_rows_gives_the_same_answer(form):
    own, honest = OWN.copy(), randn(3, 4)
    expected = craft("lie", own, honest, n_total=5, seed=0)
    sent = craft("lie", FORMS[form](own), FORMS[form](honest), n_total=5, seed=0)
    tensors = form in ("tensor", "lists of tensors", "with a gradient", "float64")
    assert isinstance(sent, torch.Tensor if tensors else np.ndarray)
    assert np.asarray(sent).tobytes() == expected.tobytes()
    assert own.tobytes() == OWN.tobytes()


def test_tensors_of_few_bits_and_of_labels():
    own = torch.from_numpy(OWN).bfloat16()
    assert torch.equal(craft("sign-flip", own, n_total=5, seed=0), -own.float())
    labels = torch.tensor([[0, 1, 9]])
    flipped = craft("label-flip", labels, n_total=5, seed=0, n_classes=10)
    assert flipped.tolist() == [[9, 8, 0]]


def test_tensors_beside_a_rule_that_answers_with_a_tensor():
    own, honest = torch.from_numpy(OWN), torch.from_numpy(randn(3, 4))

    def rule(rows):
        return torch.from_numpy(rows).median(dim=0).values

    sent = craft("opt-alie", own, honest, n_total=5, seed=0, rule=rule)
    expected = craft(
        "opt-alie", OWN, honest.numpy(), n_total=5, seed=0, rule=lambda rows: rule(rows).numpy()
    )
    assert isinstance(sent, torch.Tensor) and np.array_equal(sent, expected)


def test_a_rule_object_is_asked_in_copies_and_stays_as_it_was():
    class Counting:
        count = 0

        def __call__(self, rows):
            self.count += 1
            return np.median(rows, axis=0)

    rule = Counting()
    craft("opt-ipm", OWN, randn(3, 4), n_total=5, seed=0, rule=rule)
    assert rule.count == 0


def test_images_as_a_tensor_make_a_batch_of_arrays():
    labels, images = np.array([[1, 2]]), randn(1, 2, 1, 4, 4)
    given = {"n_total": 3, "seed": 0, "n_classes": 4}
    batch = craft("backdoor", torch.from_numpy(labels), images=torch.from_numpy(images), **given)
    expected = craft("backdoor", labels, images=images, **given)
    assert isinstance(batch.labels, np.ndarray) and isinstance(batch.images, np.ndarray)
    assert np.array_equal(batch.labels, expected.labels)
    assert np.array_equal(batch.images, expected.images)


@pytest.mark.parametrize(
    "own, honest, options, text",
    [
        ([1.0, 2.0], [[1.0, 2.0]], {}, r"own: .* got list of shape \(2,\)"),
        ([[1.0, 2.0], [1.0]], [[1.0, 2.0]], {}, "own: .* rows of different lengths"),
        ([["a", "b"]], [[1.0, 2.0]], {}, "own: .* type <U1"),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], {}, r"honest: .* 2 each as in own; got .* \(1, 3\)"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {"ids": (1, 2)}, "expected 1 and 1 different worker ids"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {"ids": (1,), "honest_ids": (1,)}, r"got \(1,\) and \(1,\)"),
    ],
)
def test_rows_that_do_not_fit_are_refused(own, honest, options, text):
    with pytest.raises(ValueError, match=text):
        craft("lie", own, honest, n_total=3, seed=0, **options)


def test_each_round_draws_anew():
    own = np.ones((2, 200), np.float32)
    rounds = [
        craft("stochastic-sign-flip", own, n_total=5, seed=0, server_round=t) for t in (1, 2, 3, 2)
    ]
    assert np.array_equal(rounds[1], rounds[3])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert 0.3 < (rounds[one] == rounds[other]).mean() < 0.7
